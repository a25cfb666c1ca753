"""Decompositions of ops that coreai-torch has no lowering for, or a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import decomposition_table

from edgevit.backends import in_aten
from edgevit.backends.coreai.tool import module

aten = torch.ops.aten


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Return Apple's table, with ours, and with torch's own for what the converter does not know."""
    lowerings = module("coreai_torch._aten_to_core")._aten_to_core_resolver
    unknown = {
        target: decomposition
        for target, decomposition in decomposition_table.items()
        if str(target).removeprefix("aten.") not in lowerings
    }
    return {**unknown, **module("coreai_torch").get_decomp_table(), **_OURS}


_OURS: dict[Any, Callable[..., Any]] = {
    aten.add.Tensor: in_aten.add,  # without its factor otherwise, and so the differences
    aten.sub.Tensor: in_aten.sub,
    aten.rsub.Scalar: in_aten.rsub,
    aten.rsub.Tensor: in_aten.rsub,
    aten.logical_and.default: in_aten.logical_and,  # whole parts of numbers, bit by bit
    aten.logical_or.default: in_aten.logical_or,
    aten.logical_xor.default: in_aten.logical_xor,
    aten.isnan.default: in_aten.isnan,
    aten.div.Scalar_mode: in_aten.divide_by_number,
    aten.unfold.default: in_aten.unfold,
    aten.one_hot.default: in_aten.one_hot,
    aten._cdist_forward.default: in_aten.cdist,
}
