from edgevit.rewrites.collapse_linear.rule import CollapseLinear

__all__ = ["CollapseLinear"]
