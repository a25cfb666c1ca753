"""The rewrites a program goes through on its way to Core ML, in order."""

from __future__ import annotations

from edgevit.rewrites.expand_resize import ExpandResize
from edgevit.rewrites.expand_roll import ExpandRoll
from edgevit.rewrites.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.sink_permute import SinkPermute
from edgevit.rewrites.standard import STANDARD

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    FoldNormAffine(),
    SinkPermute(),
    ExpandResize(),
    ExpandRoll(),  # coremltools makes a gather of it, which leaves the Neural Engine
)
