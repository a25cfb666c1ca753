"""The rewrites a program goes through on its way to ExecuTorch, in order."""

from __future__ import annotations

from edgevit.rewrites.crop_before_pad import CropBeforePad
from edgevit.rewrites.expand_attention import ExpandAttention
from edgevit.rewrites.expand_gelu import ExpandGelu
from edgevit.rewrites.expand_remainder import ExpandRemainder
from edgevit.rewrites.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.expand_vector_norm import ExpandVectorNorm
from edgevit.rewrites.flatten_softmax import FlattenSoftmax
from edgevit.rewrites.merge_clamps import MergeClamps
from edgevit.rewrites.own_weights import OwnWeights
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.scale_divisor import ScaleDivisor
from edgevit.rewrites.standard import STANDARD

RULES: tuple[AnyRule, ...] = (
    *STANDARD,
    ScaleDivisor(),
    CropBeforePad(),
    ExpandScaledResize(),
    MergeClamps(),
    OwnWeights(),
    ExpandVectorNorm(),
    ExpandRemainder(),
    ExpandGelu(),
    ExpandAttention(),
    FlattenSoftmax(),
)
