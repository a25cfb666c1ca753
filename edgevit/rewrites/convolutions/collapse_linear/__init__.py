from edgevit.rewrites.convolutions.collapse_linear.rule import CollapseLinear

__all__ = ["CollapseLinear"]
