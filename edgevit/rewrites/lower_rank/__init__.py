"""Values of more axes than a format has, computed with fewer: neighbouring axes that a call does not tell apart are one."""

from edgevit.rewrites.lower_rank.rule import LowerRank

__all__ = ["LowerRank"]
