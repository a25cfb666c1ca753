"""The rewrites a program goes through on its way to Core ML, in order."""

from __future__ import annotations

from edgevit.rewrites.collapse_linear import CollapseLinear
from edgevit.rewrites.drop_expand import DropExpand
from edgevit.rewrites.drop_key_bias import DropKeyBias
from edgevit.rewrites.expand_attention import ExpandAttention
from edgevit.rewrites.expand_einsum import ExpandEinsum
from edgevit.rewrites.expand_resize import ExpandResize
from edgevit.rewrites.expand_roll import ExpandRoll
from edgevit.rewrites.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.join_projections import JoinProjections
from edgevit.rewrites.join_slices import JoinSlices
from edgevit.rewrites.merge_permutes import MergePermutes
from edgevit.rewrites.merge_reshapes import MergeReshapes
from edgevit.rewrites.name_views import NameViews
from edgevit.rewrites.restore_attention import RestoreAttention
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.scale_projection import ScaleProjection
from edgevit.rewrites.sink_permute import SinkPermute
from edgevit.rewrites.split_heads import SplitHeads
from edgevit.rewrites.split_projection import SplitProjection
from edgevit.rewrites.split_window import SplitWindow
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.turn_by_parts import TurnByParts

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    FoldNormAffine(),
    ExpandRoll(),  # coremltools makes a gather of it, which leaves the Neural Engine
    ExpandEinsum(),
    RestoreAttention(),
    NameViews(),
    MergePermutes(),
    MergeReshapes(),
    SplitProjection(),
    DropKeyBias(),
    ExpandAttention(),
    ScaleProjection(),
    DropExpand(),
    SinkPermute(),
    TurnByParts(),
    CollapseLinear(),
    JoinProjections(),
    JoinSlices(),
    MergeReshapes(),
    SplitHeads(),
    SplitWindow((29, 13)),
    ExpandResize(),
)
