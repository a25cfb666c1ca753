"""The rewrites a program goes through on its way to ONNX, in order."""

from __future__ import annotations

from edgevit.rewrites.expand_adaptive_max import ExpandAdaptiveMax
from edgevit.rewrites.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.scale_divisor import ScaleDivisor
from edgevit.rewrites.standard import STANDARD

RULES: tuple[AnyRule, ...] = (*STANDARD, FoldNormAffine(), ScaleDivisor(), ExpandAdaptiveMax())
