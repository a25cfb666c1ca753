"""Rewrites of a program on its way to ExecuTorch, in order."""

from __future__ import annotations

from edgevit.rewrites.arithmetic.clamp_hardtanh import ClampHardtanh
from edgevit.rewrites.arithmetic.expand_erfc import ExpandErfc
from edgevit.rewrites.arithmetic.expand_functions import ExpandFunctions
from edgevit.rewrites.arithmetic.expand_gelu import ExpandGelu
from edgevit.rewrites.arithmetic.expand_logs import ExpandLogs
from edgevit.rewrites.arithmetic.expand_one_hot import ExpandOneHot
from edgevit.rewrites.arithmetic.expand_reduction import ExpandReduction
from edgevit.rewrites.arithmetic.expand_remainder import ExpandRemainder
from edgevit.rewrites.arithmetic.expand_roll import ExpandRoll
from edgevit.rewrites.arithmetic.expand_scatter import ExpandScatter
from edgevit.rewrites.arithmetic.expand_sort import ExpandSort
from edgevit.rewrites.arithmetic.expand_step import ExpandStep
from edgevit.rewrites.arithmetic.expand_variance import ExpandVariance
from edgevit.rewrites.arithmetic.expand_vector_norm import ExpandVectorNorm
from edgevit.rewrites.arithmetic.fold_constants import FoldConstants
from edgevit.rewrites.arithmetic.functions import RARE
from edgevit.rewrites.arithmetic.guard_shifts import GuardShifts
from edgevit.rewrites.arithmetic.merge_clamps import MergeClamps
from edgevit.rewrites.arithmetic.name_extremes import NameExtremes
from edgevit.rewrites.attention.attention import ATTENTION
from edgevit.rewrites.attention.split_heads import SplitHeads
from edgevit.rewrites.convolutions.convolve_slices import ConvolveSlices
from edgevit.rewrites.convolutions.own_weights import OwnWeights
from edgevit.rewrites.convolutions.split_depthwise import SplitDepthwise
from edgevit.rewrites.convolutions.split_taps import SplitTaps
from edgevit.rewrites.layout.drop_expand import DropExpand
from edgevit.rewrites.layout.flatten_matmul import FlattenMatmul
from edgevit.rewrites.layout.flatten_softmax import FlattenSoftmax
from edgevit.rewrites.layout.merge_permutes import MergePermutes
from edgevit.rewrites.layout.merge_reshapes import MergeReshapes
from edgevit.rewrites.layout.name_views import NameViews
from edgevit.rewrites.layout.permute_images import PermuteImages
from edgevit.rewrites.layout.permute_softmax import PermuteSoftmax
from edgevit.rewrites.layout.slice_select import SliceSelect
from edgevit.rewrites.norms.drop_norm_mean import DropNormMean
from edgevit.rewrites.norms.expand_norm import ExpandNorm
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.pools_and_padding.crop_before_pad import CropBeforePad
from edgevit.rewrites.pools_and_padding.expand_adaptive_max import ExpandAdaptiveMax
from edgevit.rewrites.pools_and_padding.expand_adaptive_pool import ExpandAdaptivePool
from edgevit.rewrites.pools_and_padding.expand_unfold import ExpandUnfold
from edgevit.rewrites.pools_and_padding.gather_pad import GatherPad
from edgevit.rewrites.pools_and_padding.pad_average import PadAverage
from edgevit.rewrites.pools_and_padding.pad_ceil import PadCeil
from edgevit.rewrites.pools_and_padding.pool_slices import PoolSlices
from edgevit.rewrites.pools_and_padding.scale_divisor import ScaleDivisor
from edgevit.rewrites.resize.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.resize.gather_nearest import GatherNearest
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.variants import Form, behind, form, optional, without

_LACKING = (
    "__lshift__.Scalar", "__rshift__.Scalar", "addbmm", "addmv", "angle", "argsort.stable",
    "bitwise_left_shift.Tensor_Scalar", "bitwise_right_shift.Tensor_Scalar", "msort", "quantile", "quantile.scalar",
    "round.decimals", "signbit", "sort.stable",
)  # fmt: skip

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    ExpandFunctions(*RARE, *_LACKING),
    FoldNormAffine(),
    ExpandScatter(only=frozenset({"sum", "mean", "amax", "amin", "prod"})),
    *ATTENTION,
    ExpandLogs("log_softmax.int", "log_sigmoid", "binary_cross_entropy_with_logits"),
    SplitTaps(),
    ConvolveSlices(),
    PoolSlices(),
    SplitDepthwise(),
    ExpandOneHot(),
    NameExtremes(),
    ExpandRoll(),
    ExpandAdaptivePool(),
    ExpandAdaptiveMax(),
    ExpandSort(),
    PadCeil(),
    PadAverage(),
    GatherNearest(every=True),
    GatherPad(),
    SliceSelect(),
    ExpandUnfold(),
    ScaleDivisor(),
    CropBeforePad(),
    ExpandScaledResize(),
    ClampHardtanh(),
    MergeClamps(),
    OwnWeights(),
    ExpandVectorNorm(),
    ExpandRemainder(),
    ExpandGelu(),
    ExpandVariance(),
    DropNormMean(),
    ExpandNorm(),
    ExpandReduction(),
    FlattenMatmul(),
    ExpandStep(),
    GuardShifts(),
    ExpandErfc(),
    DropExpand(),
    PermuteSoftmax(),
    FlattenSoftmax(),
    NameViews(),
    FoldConstants(),
    MergePermutes(),
    MergeReshapes(),
    PermuteImages(),
    MergeReshapes(),
)

FORMS: tuple[Form, ...] = (
    form(
        "attention",
        "stacks",
        "one head at a time keeps scores in the cache",
        heads=lambda rules: behind(rules, "expand-attention", SplitHeads()),
    ),
    form(
        "norm",
        "steps",
        "a norm that the delegate does not take is one call outside it, against many inside",
        kernel=lambda rules: without(rules, "expand-norm"),
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
