"""The rules for runtimes that have no attention op: found however it is written, simplified, and spelled in products of
stacks of matrices."""

from __future__ import annotations

from edgevit.rewrites.drop_key_bias import DropKeyBias
from edgevit.rewrites.expand_attention import ExpandAttention
from edgevit.rewrites.expand_einsum import ExpandEinsum
from edgevit.rewrites.flatten_matmul import FlattenMatmul
from edgevit.rewrites.guard_attention import GuardAttention
from edgevit.rewrites.merge_permutes import MergePermutes
from edgevit.rewrites.merge_reshapes import MergeReshapes
from edgevit.rewrites.name_views import NameViews
from edgevit.rewrites.restore_attention import RestoreAttention
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.scale_projection import ScaleProjection
from edgevit.rewrites.split_projection import SplitProjection

ATTENTION: tuple[AnyRule, ...] = (
    ExpandEinsum(),
    RestoreAttention(),
    GuardAttention(),
    NameViews(),
    MergePermutes(),
    MergeReshapes(),
    SplitProjection(least=8),
    DropKeyBias(),
    ExpandAttention(),
    ScaleProjection(),
    FlattenMatmul(),
    MergeReshapes(),
    MergePermutes(),
)
