"""The rewrites a program goes through on its way to a microcontroller, in order.

What a quantised operation can hold is folded into it first; then everything is spelled in the few forms that integer
operations have.
"""

from __future__ import annotations

from edgevit.rewrites.attention import ATTENTION
from edgevit.rewrites.crop_before_pad import CropBeforePad
from edgevit.rewrites.drop_expand import DropExpand
from edgevit.rewrites.drop_identity import DropIdentity
from edgevit.rewrites.expand_adaptive_pool import ExpandAdaptivePool
from edgevit.rewrites.expand_resize import ExpandResize
from edgevit.rewrites.expand_roll import ExpandRoll
from edgevit.rewrites.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.expand_unfold import ExpandUnfold
from edgevit.rewrites.expand_variance import ExpandVariance
from edgevit.rewrites.expand_vector_norm import ExpandVectorNorm
from edgevit.rewrites.flatten_matmul import FlattenMatmul
from edgevit.rewrites.fold_constants import FoldConstants
from edgevit.rewrites.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.join_affine import JoinAffine
from edgevit.rewrites.merge_clamps import MergeClamps
from edgevit.rewrites.merge_permutes import MergePermutes
from edgevit.rewrites.merge_reshapes import MergeReshapes
from edgevit.rewrites.multiply_reciprocal import MultiplyReciprocal
from edgevit.rewrites.name_views import NameViews
from edgevit.rewrites.pad_average import PadAverage
from edgevit.rewrites.pad_ceil import PadCeil
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.slice_select import SliceSelect
from edgevit.rewrites.standard import STANDARD

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    JoinAffine(),
    FoldNormAffine(),
    *ATTENTION,
    ExpandRoll(),
    ExpandAdaptivePool(),
    PadCeil(),
    PadAverage(),
    SliceSelect(),
    ExpandUnfold(),
    CropBeforePad(),
    ExpandResize(),
    ExpandScaledResize(),
    ExpandVectorNorm(),
    ExpandVariance(),
    MultiplyReciprocal(),
    MergeClamps(),
    FlattenMatmul(),
    DropExpand(),
    NameViews(),
    FoldConstants(),
    DropIdentity(),
    MergePermutes(),
    MergeReshapes(),
)
