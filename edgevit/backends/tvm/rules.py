"""The rewrites a program goes through on its way to TVM, in order."""

from __future__ import annotations

from edgevit.rewrites.attention import ATTENTION
from edgevit.rewrites.crop_before_pad import CropBeforePad
from edgevit.rewrites.expand_adaptive_pool import ExpandAdaptivePool
from edgevit.rewrites.expand_resize import ExpandResize
from edgevit.rewrites.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.form import Form, form
from edgevit.rewrites.gather_nearest import GatherNearest
from edgevit.rewrites.guard_attention import GuardAttention
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.scale_divisor import ScaleDivisor
from edgevit.rewrites.split_depthwise import SplitDepthwise
from edgevit.rewrites.standard import STANDARD

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    ScaleDivisor(),
    CropBeforePad(),
    ExpandAdaptivePool(),
    ExpandResize(),
    ExpandScaledResize(),
    GatherNearest(),
    GuardAttention(),
)

FORMS: tuple[Form, ...] = (
    form(
        "attention",
        "written",
        "stacks of matrices without guards and unpacking give the compiler simpler loops",
        stacks=lambda rules: (*rules, *ATTENTION),
    ),
    form(
        "depthwise",
        "whole",
        "windows of more than 25 taps as a sum of smaller ones",
        split=lambda rules: (*rules, SplitDepthwise()),
    ),
)
