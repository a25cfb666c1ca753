"""The rewrites a program goes through on its way to TVM, in order."""

from __future__ import annotations

from edgevit.rewrites.crop_before_pad import CropBeforePad
from edgevit.rewrites.expand_adaptive_pool import ExpandAdaptivePool
from edgevit.rewrites.expand_resize import ExpandResize
from edgevit.rewrites.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.gather_nearest import GatherNearest
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.scale_divisor import ScaleDivisor
from edgevit.rewrites.standard import STANDARD

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    ScaleDivisor(),
    CropBeforePad(),
    ExpandAdaptivePool(),
    ExpandResize(),
    ExpandScaledResize(),
    GatherNearest(),
)
