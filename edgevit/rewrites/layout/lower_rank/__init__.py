"""Values of more axes than a format has, computed with fewer.

Neighbouring axes that a call treats alike are merged.
"""

from edgevit.rewrites.layout.lower_rank.permutes import LowerPermutes
from edgevit.rewrites.layout.lower_rank.rule import LowerRank

__all__ = ["LowerPermutes", "LowerRank"]
