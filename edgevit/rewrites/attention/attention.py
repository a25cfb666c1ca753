"""Rules for runtimes that have no attention op.

Attention is recognised in any form, simplified, and expanded into products of stacks of matrices.
"""

from __future__ import annotations

from edgevit.rewrites.arithmetic.expand_einsum import ExpandEinsum
from edgevit.rewrites.attention.drop_key_bias import DropKeyBias
from edgevit.rewrites.attention.expand_attention import ExpandAttention
from edgevit.rewrites.attention.guard_attention import GuardAttention
from edgevit.rewrites.attention.restore_attention import RestoreAttention
from edgevit.rewrites.attention.scale_projection import ScaleProjection
from edgevit.rewrites.attention.split_projection import SplitProjection
from edgevit.rewrites.layout.flatten_matmul import FlattenMatmul
from edgevit.rewrites.layout.merge_permutes import MergePermutes
from edgevit.rewrites.layout.merge_reshapes import MergeReshapes
from edgevit.rewrites.layout.name_views import NameViews
from edgevit.rewrites.rule import AnyRule

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
