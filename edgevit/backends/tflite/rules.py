"""Rewrites of a program on its way to TFLite, in order."""

from __future__ import annotations

from edgevit.rewrites.arithmetic.bits import BITS
from edgevit.rewrites.arithmetic.cast_parts import CastParts
from edgevit.rewrites.arithmetic.expand_functions import ExpandFunctions
from edgevit.rewrites.arithmetic.expand_log1p import ExpandLog1p
from edgevit.rewrites.arithmetic.expand_logs import ExpandLogs
from edgevit.rewrites.arithmetic.expand_scatter import ExpandScatter
from edgevit.rewrites.arithmetic.expand_step import ExpandStep
from edgevit.rewrites.arithmetic.flatten_puts import FlattenPuts
from edgevit.rewrites.arithmetic.fold_constants import FoldConstants
from edgevit.rewrites.arithmetic.fold_softmax import FoldSoftmax
from edgevit.rewrites.arithmetic.functions import RARE
from edgevit.rewrites.arithmetic.gather_top import GatherTop
from edgevit.rewrites.arithmetic.multiply_outer import MultiplyOuter
from edgevit.rewrites.attention.attention import ATTENTION
from edgevit.rewrites.attention.split_heads import SplitHeads
from edgevit.rewrites.convolutions.convolve_slices import ConvolveSlices
from edgevit.rewrites.convolutions.multiply_places import MultiplyPlaces
from edgevit.rewrites.convolutions.split_depthwise import SplitDepthwise
from edgevit.rewrites.convolutions.split_taps import SplitTaps
from edgevit.rewrites.layout.drop_expand import DropExpand
from edgevit.rewrites.layout.keep_batch import KeepBatch
from edgevit.rewrites.layout.lower_rank import LowerPermutes, LowerRank
from edgevit.rewrites.layout.merge_permutes import MergePermutes
from edgevit.rewrites.layout.merge_reshapes import MergeReshapes
from edgevit.rewrites.layout.name_expand import NameExpand
from edgevit.rewrites.layout.permute_images import PermuteImages
from edgevit.rewrites.layout.permute_places import PermutePlaces
from edgevit.rewrites.layout.swap_product import SwapProduct
from edgevit.rewrites.norms.drop_norm_mean import DropNormMean
from edgevit.rewrites.norms.expand_norm import ExpandNorm
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.pools_and_padding.expand_adaptive_max import (
    ExpandAdaptiveMax,
    ExpandAdaptivePlaces,
)
from edgevit.rewrites.pools_and_padding.expand_unfold import ExpandUnfold
from edgevit.rewrites.pools_and_padding.pad_ceil import PadCeil
from edgevit.rewrites.pools_and_padding.scale_divisor import ScaleDivisor
from edgevit.rewrites.resize.expand_resize import ExpandResize
from edgevit.rewrites.resize.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.resize.gather_nearest import GatherNearest
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.variants import Form, behind, form, optional, replaced, without

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    ExpandFunctions(*RARE, *BITS, "abs", "angle", "argmax", "argmin", "masked_scatter", "signbit"),
    FoldNormAffine(),
    ExpandAdaptiveMax(),
    ExpandAdaptivePlaces(tiles=True),
    CastParts(),
    FlattenPuts(),
    ExpandScatter(),
    ExpandLog1p(),
    ExpandResize(),
    ExpandScaledResize(),
    *ATTENTION,
    FoldSoftmax(),
    MultiplyOuter(),
    SwapProduct(),
    ExpandLogs("log_softmax.int", "log_sigmoid", "binary_cross_entropy_with_logits"),
    SplitTaps(only_groups=True),
    ConvolveSlices(only_groups=True),
    SplitDepthwise(),
    MultiplyPlaces(),
    DropNormMean(),
    ExpandNorm(layers=False),
    GatherNearest(),
    ScaleDivisor(),
    PadCeil(),
    ExpandUnfold(),
    GatherTop(),
    PermutePlaces(),
    ExpandStep(),
    NameExpand(),
    DropExpand(),
    FoldConstants(),
    LowerRank(beyond=6),
    LowerPermutes(),
    MergeReshapes(),
    MergePermutes(),
    MergeReshapes(),
    PermuteImages(),
    MergeReshapes(),
    KeepBatch(),
    MergePermutes(),
)

FORMS: tuple[Form, ...] = (
    form(
        "attention",
        "stacks",
        "one head at a time keeps scores in the cache; the converter's own form needs no copies of stacks",
        heads=lambda rules: behind(rules, "expand-attention", SplitHeads()),
        converter=lambda rules: without(rules, "expand-attention"),
    ),
    form(
        "norm",
        "groups",
        "layer norms too in steps that the delegate takes: more calls, and sums in pools",
        all=lambda rules: replaced(rules, ExpandNorm()),
        none=lambda rules: without(rules, "expand-norm"),
    ),
    optional(
        "drop-norm-mean", "a layer norm left whole is one call, where the runtime has one for it"
    ),
    optional("split-projection", "one large product of q, k and v against three and no slices"),
    optional(
        "split-depthwise",
        "large windows are one call; the delegate has kernels for small ones only",
    ),
    optional("permute-images", "a permute of an image is free only where channels lie last"),
)
