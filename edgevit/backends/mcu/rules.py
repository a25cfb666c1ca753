"""Rewrites of a program on its way to a microcontroller, in order.

First, everything that a quantised operation can absorb is folded into it. Then the rest is written
in the few forms that integer operations have.
"""

from __future__ import annotations

from edgevit.rewrites.arithmetic.drop_identity import DropIdentity
from edgevit.rewrites.arithmetic.expand_composites import ExpandComposites
from edgevit.rewrites.arithmetic.expand_einsum import ExpandEinsum
from edgevit.rewrites.arithmetic.expand_functions import ExpandFunctions
from edgevit.rewrites.arithmetic.expand_logs import ExpandLogs
from edgevit.rewrites.arithmetic.expand_maximum import ExpandMaximum
from edgevit.rewrites.arithmetic.expand_one_hot import ExpandOneHot
from edgevit.rewrites.arithmetic.expand_recurrent import ExpandRecurrent
from edgevit.rewrites.arithmetic.expand_roll import ExpandRoll
from edgevit.rewrites.arithmetic.expand_variance import ExpandVariance
from edgevit.rewrites.arithmetic.expand_vector_norm import ExpandVectorNorm
from edgevit.rewrites.arithmetic.fold_constants import FoldConstants
from edgevit.rewrites.arithmetic.fold_fills import FoldFills
from edgevit.rewrites.arithmetic.gather_one_hot import GatherOneHot
from edgevit.rewrites.arithmetic.merge_clamps import MergeClamps
from edgevit.rewrites.arithmetic.multiply_masks import MultiplyMasks
from edgevit.rewrites.arithmetic.multiply_reciprocal import MultiplyReciprocal
from edgevit.rewrites.arithmetic.scatter_mean import ScatterMean
from edgevit.rewrites.attention.attention import ATTENTION
from edgevit.rewrites.attention.factor_tables import FactorTables
from edgevit.rewrites.attention.normalise_queries import NormaliseQueries
from edgevit.rewrites.attention.slice_product import SliceProduct
from edgevit.rewrites.convolutions.shuffle_transposed import ShuffleTransposed
from edgevit.rewrites.layout.drop_expand import DropExpand
from edgevit.rewrites.layout.flatten_matmul import FlattenMatmul
from edgevit.rewrites.layout.join_writes import JoinWrites
from edgevit.rewrites.layout.merge_permutes import MergePermutes
from edgevit.rewrites.layout.merge_reshapes import MergeReshapes
from edgevit.rewrites.layout.name_views import NameViews
from edgevit.rewrites.layout.slice_select import SliceSelect
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.norms.group_instances import GroupInstances
from edgevit.rewrites.norms.join_affine import JoinAffine
from edgevit.rewrites.pools_and_padding.crop_before_pad import CropBeforePad
from edgevit.rewrites.pools_and_padding.expand_adaptive_max import ExpandAdaptiveMax
from edgevit.rewrites.pools_and_padding.expand_adaptive_pool import ExpandAdaptivePool
from edgevit.rewrites.pools_and_padding.expand_unfold import ExpandUnfold
from edgevit.rewrites.pools_and_padding.gather_pad import GatherPad
from edgevit.rewrites.pools_and_padding.pad_average import PadAverage
from edgevit.rewrites.pools_and_padding.pad_ceil import PadCeil
from edgevit.rewrites.pools_and_padding.split_extremes import SplitExtremes
from edgevit.rewrites.resize.expand_resize import ExpandResize
from edgevit.rewrites.resize.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.resize.gather_nearest import GatherNearest
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD

# Before what is picked is one constant.
FIRST: tuple[AnyRule, ...] = (ExpandEinsum(), ExpandRecurrent(), ExpandComposites(), FactorTables())
_WRITTEN_OUT = (
    "addcdiv", "addcmul", "aminmax", "bilinear", "diagonal", "diff", "hypot", "lerp.Scalar", "lerp.Tensor", "median.dim",
    "prelu", "prod.dim_int",
)  # fmt: skip

RULES: tuple[AnyRule, ...] = (
    *FIRST,
    *STANDARD,
    FoldFills(),
    ExpandFunctions(*_WRITTEN_OUT),
    ExpandLogs(),
    JoinWrites(),
    ScatterMean(),
    ExpandOneHot(),
    GatherOneHot(),
    GroupInstances(),
    JoinAffine(),
    FoldNormAffine(),
    *ATTENTION,
    ExpandRoll(),
    GatherPad(),
    MultiplyMasks(),
    ExpandMaximum(),
    ExpandAdaptivePool(),
    ExpandAdaptiveMax(),
    SplitExtremes(),
    PadCeil(),
    PadAverage(),
    GatherNearest(),
    SliceSelect(),
    ExpandUnfold(),
    ShuffleTransposed(),
    CropBeforePad(),
    ExpandResize(),
    ExpandScaledResize(),
    ExpandVectorNorm(),
    ExpandVariance(),
    NormaliseQueries(),
    SliceProduct(),
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
