"""The rewrites a program goes through on its way to TFLite, in order."""

from __future__ import annotations

from edgevit.rewrites.attention import ATTENTION
from edgevit.rewrites.drop_expand import DropExpand
from edgevit.rewrites.expand_norm import ExpandNorm
from edgevit.rewrites.expand_resize import ExpandResize
from edgevit.rewrites.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.expand_step import ExpandStep
from edgevit.rewrites.expand_unfold import ExpandUnfold
from edgevit.rewrites.fold_constants import FoldConstants
from edgevit.rewrites.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.gather_nearest import GatherNearest
from edgevit.rewrites.gather_top import GatherTop
from edgevit.rewrites.merge_permutes import MergePermutes
from edgevit.rewrites.merge_reshapes import MergeReshapes
from edgevit.rewrites.name_expand import NameExpand
from edgevit.rewrites.pad_ceil import PadCeil
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.scale_divisor import ScaleDivisor
from edgevit.rewrites.split_depthwise import SplitDepthwise
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.turn_images import TurnImages

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    FoldNormAffine(),
    ExpandResize(),
    ExpandScaledResize(),
    *ATTENTION,
    SplitDepthwise(),
    ExpandNorm(layers=False),
    GatherNearest(),
    ScaleDivisor(),
    PadCeil(),
    ExpandUnfold(),
    GatherTop(),
    ExpandStep(),
    NameExpand(),
    DropExpand(),
    FoldConstants(),
    MergePermutes(),
    MergeReshapes(),
    TurnImages(),
    MergeReshapes(),
)
