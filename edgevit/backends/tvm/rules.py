"""Rewrites of a program on its way to TVM, in order."""

from __future__ import annotations

from edgevit.rewrites.arithmetic.expand_functions import ExpandFunctions
from edgevit.rewrites.arithmetic.expand_one_hot import ExpandOneHot
from edgevit.rewrites.arithmetic.expand_scatter import ExpandScatter
from edgevit.rewrites.arithmetic.functions import RARE
from edgevit.rewrites.attention.attention import ATTENTION
from edgevit.rewrites.attention.guard_attention import GuardAttention
from edgevit.rewrites.convolutions.split_depthwise import SplitDepthwise
from edgevit.rewrites.pools_and_padding.crop_before_pad import CropBeforePad
from edgevit.rewrites.pools_and_padding.expand_adaptive_max import ExpandAdaptiveMax
from edgevit.rewrites.pools_and_padding.expand_adaptive_pool import ExpandAdaptivePool
from edgevit.rewrites.pools_and_padding.scale_divisor import ScaleDivisor
from edgevit.rewrites.resize.expand_resize import ExpandResize
from edgevit.rewrites.resize.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.resize.gather_nearest import GatherNearest
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.variants import Form, form

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    ExpandFunctions(*RARE, "cdist", "quantile", "quantile.scalar"),
    ExpandOneHot(),
    ExpandScatter(),
    ExpandAdaptiveMax(),
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
