"""Rewrites on the way to Core ML, in order.

There are two lists, because attention is one operation from iOS 18 on.
"""

from __future__ import annotations

import torch

from edgevit.rewrites.arithmetic.expand_einsum import ExpandEinsum
from edgevit.rewrites.arithmetic.expand_erfc import ExpandErfc
from edgevit.rewrites.arithmetic.expand_functions import ExpandFunctions
from edgevit.rewrites.arithmetic.expand_log1p import ExpandLog1p
from edgevit.rewrites.arithmetic.expand_roll import ExpandRoll
from edgevit.rewrites.arithmetic.expand_scatter import ExpandScatter
from edgevit.rewrites.arithmetic.flatten_puts import FlattenPuts
from edgevit.rewrites.arithmetic.functions import FUNCTIONS
from edgevit.rewrites.arithmetic.name_extremes import NameExtremes
from edgevit.rewrites.arithmetic.wrap_indices import WrapIndices
from edgevit.rewrites.attention.drop_key_bias import DropKeyBias
from edgevit.rewrites.attention.expand_attention import ExpandAttention
from edgevit.rewrites.attention.expand_columns import ExpandColumns
from edgevit.rewrites.attention.guard_attention import GuardAttention
from edgevit.rewrites.attention.join_projections import JoinProjections
from edgevit.rewrites.attention.restore_attention import RestoreAttention
from edgevit.rewrites.attention.scale_projection import ScaleProjection
from edgevit.rewrites.attention.scale_query import ScaleQuery
from edgevit.rewrites.attention.split_heads import SplitHeads
from edgevit.rewrites.attention.split_projection import SplitProjection
from edgevit.rewrites.convolutions.collapse_linear import CollapseLinear
from edgevit.rewrites.convolutions.split_window import SplitWindow
from edgevit.rewrites.layout.drop_expand import DropExpand
from edgevit.rewrites.layout.join_slices import JoinSlices
from edgevit.rewrites.layout.join_writes import JoinWrites
from edgevit.rewrites.layout.lower_rank import LowerRank
from edgevit.rewrites.layout.merge_permutes import MergePermutes
from edgevit.rewrites.layout.merge_reshapes import MergeReshapes
from edgevit.rewrites.layout.name_views import NameViews
from edgevit.rewrites.layout.permute_by_parts import PermuteByParts
from edgevit.rewrites.layout.sink_permute import SinkPermute
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.pools_and_padding.crop_before_pad import CropBeforePad
from edgevit.rewrites.pools_and_padding.expand_adaptive_max import (
    ExpandAdaptiveMax,
    ExpandAdaptivePlaces,
)
from edgevit.rewrites.pools_and_padding.scale_divisor import ScaleDivisor
from edgevit.rewrites.pools_and_padding.scale_power_mean import ScalePowerMean
from edgevit.rewrites.pools_and_padding.slice_unfold import SliceUnfold
from edgevit.rewrites.resize.expand_resize import ExpandResize
from edgevit.rewrites.resize.gather_nearest import GatherNearest
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.variants import Form, optional

_LARGEST_WINDOW = (29, 13)  # of the engine of the A14, in fp16: `placement.toml`

_BEFORE: tuple[AnyRule, ...] = (
    *STANDARD,
    ExpandFunctions(*FUNCTIONS),
    ScaleDivisor(),
    ExpandAdaptiveMax(),
    ExpandAdaptivePlaces(tiles=True),
    CropBeforePad(),
    FoldNormAffine(),
    ScalePowerMean(),
    ExpandRoll(),  # coremltools makes a gather of it, which leaves the Neural Engine
    FlattenPuts(),
    ExpandScatter(),
    ExpandLog1p(),
    GatherNearest(scaled=True),
    SliceUnfold(),  # coremltools makes a dense convolution of it
    ExpandEinsum(),
    RestoreAttention(),
    GuardAttention(),
    NameViews(),
    NameExtremes(),
    JoinWrites(torch.bool),  # coremltools writes numbers alone
    MergePermutes(),
    MergeReshapes(),
    SplitProjection(),
    DropKeyBias(),
)
_BEHIND: tuple[AnyRule, ...] = (
    ScaleProjection(),
    DropExpand(),
    SinkPermute(),
    PermuteByParts(),
    CollapseLinear(),
    JoinProjections(),
    JoinSlices(),
    MergeReshapes(),
    SplitHeads(),
    SplitWindow(_LARGEST_WINDOW),
    ExpandResize(),
    ExpandErfc(),
    WrapIndices(),
    LowerRank(),
    MergeReshapes(),
)

RULES: tuple[AnyRule, ...] = (*_BEFORE, ExpandAttention(), *_BEHIND)
FUSED: tuple[AnyRule, ...] = (*_BEFORE, ExpandColumns(), ScaleQuery(), *_BEHIND)

FORMS: tuple[Form, ...] = (
    optional("split-heads", "all heads at once are fewer and larger calls"),
    optional("join-projections", "projections of one value apart need no slices behind them"),
    optional(
        "sink-permute",
        "permutes where the author put them; those left may cost less than those moved",
    ),
    optional(
        "split-window", "windows too large for the Neural Engine are one call on another unit"
    ),
)
