"""Tensors that cannot be weights as they are, and conversions that would silently change them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping

import torch
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from edgevit.errors import WeightsError

_SHOWN = 5
_PLAIN = re.compile(r"b?float(16|32|64)|float8_\w+|u?int(8|16|32|64)|bool|complex(32|64|128)")
_REPEATED = 64 << 20  # bytes that a tensor may seem to have beyond what lies in memory
_HINT = "save the model's own float32 state dict: model.float().state_dict()"


def why_no_weights(tensor: torch.Tensor) -> str:
    """Return why a tensor cannot be a weight; empty for one that can."""
    if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
        return "it is not initialised: run the lazy module once"
    if tensor.is_nested:
        return "it is nested: of several shapes"
    if tensor.layout != torch.strided:
        return f"it is sparse ({str(tensor.layout).removeprefix('torch.')})"
    if tensor.is_meta:
        return "it has no data: it is on the `meta` device"
    if tensor.is_quantized:
        return f"it is quantised ({_name(tensor.dtype)})"
    if not _PLAIN.fullmatch(_name(tensor.dtype)):
        return f"it is {_name(tensor.dtype)}, which nothing here computes with"
    if is_traceable_wrapper_subclass(tensor):
        return f"it is a {type(tensor).__name__}, which keeps its numbers in a way of its own"
    needed, there = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if needed > there + _REPEATED:
        return f"{there:,} bytes are repeated to make {needed:,}"
    return ""


def why_inexact(tensor: torch.Tensor, dtype: torch.dtype) -> str:
    """Return why `tensor` is not the same in `dtype`.

    Empty where it is, or is only rounded among floats.
    """
    if tensor.dtype == dtype:
        return ""
    kinds = f"it is {_name(tensor.dtype)}, the model has {_name(dtype)}"
    if tensor.is_complex() and not dtype.is_complex:
        return f"{kinds}: the imaginary part would be lost"
    converted = tensor.to(dtype)
    if (tensor.is_floating_point() or tensor.is_complex()) and (dtype.is_floating_point or dtype.is_complex):  # fmt: skip
        wide = torch.float64 if tensor.is_floating_point() else torch.complex128
        lost = torch.isfinite(tensor.to(wide)) & ~torch.isfinite(converted)
        return f"{kinds}, and {int(lost.sum())} values are beyond its range" if lost.any() else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        real = converted.real if dtype.is_complex else converted
        # The way back alone is blind where the conversion wraps, doubles alone beyond 2^53.
        changed = int(
            ((real.to(tensor.dtype) != tensor) | (real.double() != tensor.double())).sum()
        )
    return f"{kinds}, and {changed} values are not the same in it" if changed else ""


def require_weights(tensors: Mapping[str, torch.Tensor], origin: str) -> None:
    """Refuse file entries that are no plain numbers, by a `WeightsError`."""
    _refuse_weights(_reasons(tensors.items()), origin, "are no plain numbers")


def require_exact(
    tensors: Mapping[str, torch.Tensor], dtypes: Mapping[str, torch.dtype], origin: str
) -> None:
    """Refuse tensors that loading would change, by a `WeightsError`."""
    reasons = {
        name: why
        for name, tensor in tensors.items()
        if name in dtypes and (why := why_inexact(tensor, dtypes[name]))
    }
    _refuse_weights(reasons, origin, "would be changed by loading them")


def _reasons(tensors: Iterable[tuple[str, torch.Tensor]]) -> dict[str, str]:
    return {name: why for name, tensor in tensors if (why := why_no_weights(tensor))}


def _refuse_weights(reasons: Mapping[str, str], origin: str, what: str) -> None:
    if reasons:
        raise WeightsError(
            f"{len(reasons)} of the tensors in `{origin}` {what}",
            where=next(iter(reasons)),
            why=_listed(reasons),
            hint=_HINT,
        )


def _listed(reasons: Mapping[str, str]) -> str:
    rows = [f"`{name}`: {why}" for name, why in reasons.items()]
    return "\n".join(rows[:_SHOWN] + ([f"and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []))  # fmt: skip


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
