"""The rewrites a program goes through on its way to Core ML, in order: two lists, as attention is one operation from
iOS 18 on."""

from __future__ import annotations

from edgevit.rewrites.collapse_linear import CollapseLinear
from edgevit.rewrites.drop_expand import DropExpand
from edgevit.rewrites.drop_key_bias import DropKeyBias
from edgevit.rewrites.expand_attention import ExpandAttention
from edgevit.rewrites.expand_columns import ExpandColumns
from edgevit.rewrites.expand_einsum import ExpandEinsum
from edgevit.rewrites.expand_erfc import ExpandErfc
from edgevit.rewrites.expand_log1p import ExpandLog1p
from edgevit.rewrites.expand_resize import ExpandResize
from edgevit.rewrites.expand_roll import ExpandRoll
from edgevit.rewrites.expand_scatter import ExpandScatter
from edgevit.rewrites.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.form import Form, optional
from edgevit.rewrites.gather_nearest import GatherNearest
from edgevit.rewrites.guard_attention import GuardAttention
from edgevit.rewrites.join_projections import JoinProjections
from edgevit.rewrites.join_slices import JoinSlices
from edgevit.rewrites.lower_rank import LowerRank
from edgevit.rewrites.merge_permutes import MergePermutes
from edgevit.rewrites.merge_reshapes import MergeReshapes
from edgevit.rewrites.name_views import NameViews
from edgevit.rewrites.restore_attention import RestoreAttention
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.scale_power_mean import ScalePowerMean
from edgevit.rewrites.scale_projection import ScaleProjection
from edgevit.rewrites.scale_query import ScaleQuery
from edgevit.rewrites.sink_permute import SinkPermute
from edgevit.rewrites.slice_unfold import SliceUnfold
from edgevit.rewrites.split_heads import SplitHeads
from edgevit.rewrites.split_projection import SplitProjection
from edgevit.rewrites.split_window import SplitWindow
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.turn_by_parts import TurnByParts
from edgevit.rewrites.wrap_indices import WrapIndices

_LARGEST_WINDOW = (29, 13)  # of the engine of the A14, in fp16: `placement.toml`

_BEFORE: tuple[AnyRule, ...] = (
    *STANDARD,
    FoldNormAffine(),
    ScalePowerMean(),
    ExpandRoll(),  # coremltools makes a gather of it, which leaves the Neural Engine
    ExpandScatter(),
    ExpandLog1p(),
    GatherNearest(scaled=True),
    SliceUnfold(),  # coremltools makes a dense convolution of it
    ExpandEinsum(),
    RestoreAttention(),
    GuardAttention(),
    NameViews(),
    MergePermutes(),
    MergeReshapes(),
    SplitProjection(),
    DropKeyBias(),
)
_BEHIND: tuple[AnyRule, ...] = (
    ScaleProjection(),
    DropExpand(),
    SinkPermute(),
    TurnByParts(),
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
