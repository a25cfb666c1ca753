"""Rewrites of a program on its way to ONNX, in order."""

from __future__ import annotations

from edgevit.rewrites.arithmetic.cast_parts import CastParts
from edgevit.rewrites.arithmetic.expand_erfc import ExpandErfc
from edgevit.rewrites.arithmetic.expand_functions import ExpandFunctions
from edgevit.rewrites.arithmetic.expand_log1p import ExpandLog1p
from edgevit.rewrites.arithmetic.expand_logs import ExpandLogs
from edgevit.rewrites.arithmetic.expand_scatter import ExpandScatter
from edgevit.rewrites.arithmetic.expand_silu import ExpandSilu
from edgevit.rewrites.arithmetic.functions import RARE
from edgevit.rewrites.arithmetic.name_axes import NameAxes
from edgevit.rewrites.arithmetic.number_clamps import NumberClamps
from edgevit.rewrites.arithmetic.same_indices import SameIndices
from edgevit.rewrites.attention.attention import ATTENTION
from edgevit.rewrites.attention.flatten_attention import FlattenAttention
from edgevit.rewrites.attention.guard_attention import GuardAttention
from edgevit.rewrites.attention.split_heads import SplitHeads
from edgevit.rewrites.convolutions.split_depthwise import SplitDepthwise
from edgevit.rewrites.norms.expand_norm import ExpandNorm
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.pools_and_padding.clip_window import CountImage
from edgevit.rewrites.pools_and_padding.expand_adaptive_max import ExpandAdaptiveMax
from edgevit.rewrites.pools_and_padding.pad_ceil import PadCeil
from edgevit.rewrites.pools_and_padding.scale_divisor import ScaleDivisor
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.variants import Form, form, without

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    NumberClamps(),
    ExpandFunctions(
        *RARE,
        "aminmax",
        "argsort.stable",
        "atan2",
        "cdist",
        "isfinite",
        "isinf",
        "isnan",
        "sort.stable",
    ),
    FoldNormAffine(),
    ScaleDivisor(),
    CountImage(),  # its kernel of bytes counts pixels beyond the edge
    PadCeil(counts=True),
    ExpandAdaptiveMax(),
    GuardAttention(),
    ExpandErfc(),
    ExpandLogs("log_softmax.int"),
    FlattenAttention(),
    CastParts(),
    SameIndices(),
    NameAxes(),
    ExpandLog1p(),
    ExpandScatter(only=frozenset({"mean"})),
    ExpandSilu(),  # as the exporter does: sigmoid and product have encodings of their own
)

FORMS: tuple[Form, ...] = (
    form(
        "attention",
        "written",
        "stacks of matrices without guards and unpacking, or one head at a time, are other kernels of the runtime",
        stacks=lambda rules: (*rules, *ATTENTION),
        packed=lambda rules: (*rules, *without(ATTENTION, "split-projection")),
        heads=lambda rules: (*rules, *ATTENTION, SplitHeads()),
    ),
    form(
        "norm",
        "kernel",
        "the runtime's own norms are one call, which may use one thread",
        steps=lambda rules: (*rules, ExpandNorm()),
    ),
    form(
        "depthwise",
        "whole",
        "windows of more than 25 taps as a sum of smaller ones",
        split=lambda rules: (*rules, SplitDepthwise()),
    ),
)
