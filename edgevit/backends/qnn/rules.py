"""Rewrites of a program on its way to the Snapdragon NPU, in order.

A layer norm keeps its weight and bias: without them the NPU does not take it. Attention is written
in products and softmaxes, which compute in integers one by one. Values have at most five axes.
"""

from __future__ import annotations

from edgevit.backends.onnx import RULES as ONNX_RULES
from edgevit.rewrites.arithmetic.expand_functions import ExpandFunctions
from edgevit.rewrites.arithmetic.fold_constants import FoldConstants
from edgevit.rewrites.attention.attention import ATTENTION
from edgevit.rewrites.layout.lower_rank import LowerRank
from edgevit.rewrites.layout.merge_permutes import MergePermutes
from edgevit.rewrites.layout.merge_reshapes import MergeReshapes
from edgevit.rewrites.layout.slice_before_permute import SliceBeforePermute
from edgevit.rewrites.pools_and_padding.concat_pad import ConcatPad
from edgevit.rewrites.pools_and_padding.expand_adaptive_pool import ExpandAdaptivePool
from edgevit.rewrites.pools_and_padding.slice_unfold import SliceUnfold
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form, without

RULES: tuple[AnyRule, ...] = (
    *without(ONNX_RULES, "fold-norm-affine"),
    ExpandFunctions("celu", "mish", "softplus"),
    ExpandAdaptivePool(),
    SliceUnfold(),
    *ATTENTION,
    ConcatPad(),  # of a slice, the compiler pads with what lies behind it
    SliceBeforePermute(),
    LowerRank(),
    MergeReshapes(),
    MergePermutes(),
    FoldConstants(),
)
FORMS: tuple[Form, ...] = ()
