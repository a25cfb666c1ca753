"""Rewrites of a program on its way to an Ethos-U, in order.

The NPU computes in integers alone: what has no integer kernel is written in ops that have one. Norms are
written in steps, quotients as products with reciprocals, and numbers become constants with encodings.
"""

from __future__ import annotations

from edgevit.backends.tflite import RULES as TFLITE_RULES
from edgevit.rewrites.arithmetic.expand_functions import ExpandFunctions
from edgevit.rewrites.arithmetic.expand_silu import ExpandSilu
from edgevit.rewrites.arithmetic.fold_constants import FoldConstants
from edgevit.rewrites.arithmetic.store_numbers import StoreNumbers
from edgevit.rewrites.convolutions.collapse_linear import CollapseLinear
from edgevit.rewrites.norms.expand_norm import ExpandNorm
from edgevit.rewrites.pools_and_padding.expand_adaptive_pool import ExpandAdaptivePool
from edgevit.rewrites.pools_and_padding.keep_image_axes import KeepImageAxes
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form, behind, replaced

# pools before products are flattened: an uneven one is a product
_POOLS = behind(TFLITE_RULES, "expand-scaled-resize", ExpandAdaptivePool(), KeepImageAxes())
RULES: tuple[AnyRule, ...] = (
    *replaced(_POOLS, ExpandNorm()),
    ExpandSilu(),
    ExpandFunctions("hardsigmoid"),
    CollapseLinear(),  # its scale and shift, into the convolution before it
    StoreNumbers(),
    FoldConstants(),
)
FORMS: tuple[Form, ...] = ()
