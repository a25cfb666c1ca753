"""Refusal of integers that a 32-bit runtime cannot hold, where PyTorch has 64 bits."""

from __future__ import annotations

import torch

from edgevit.errors import UnsupportedOpError
from edgevit.graph.aten import op
from edgevit.graph.program import Program, origin
from edgevit.graph.spans import INT32, spans_of


def refuse_wide_integers(program: Program, format: str) -> None:
    """Raise `UnsupportedOpError` for all calls whose int64 result may not fit 32 bits."""
    _, wide = spans_of(program)
    if not wide:
        return
    names = ", ".join(dict.fromkeys(f"`{op(node)}`" for node in wide))
    raise UnsupportedOpError(
        f"{format} has 32-bit integers, and {names} may give larger ones",
        where="\n".join(dict.fromkeys(str(origin(node)) for node in wide)),
        why=f"up to about {max(span.most for span in wide.values()):.2g} from int64 numbers, the largest is {INT32.max}",
        hint="`clamp` the numbers to what they can be, compute in float32, or export with another `--format`",
    )


def refuse_wide_constants(program: Program, format: str) -> None:
    """Raise `UnsupportedOpError` for constants and example inputs that 32 bits do not hold."""
    named = dict(zip(program.input_names, program.inputs, strict=True)) | program.constants
    large = [name for name, tensor in named.items() if _overflows(tensor)]
    if large:
        raise UnsupportedOpError(
            f"{format} has 32-bit integers, and larger numbers are in "
            + ", ".join(f"`{name}`" for name in large),
            why=f"the largest is {INT32.max}",
            hint="keep such numbers out of the model, or export with another `--format`",
        )


def _overflows(tensor: torch.Tensor) -> bool:
    if tensor.dtype != torch.int64 or not tensor.numel():
        return False
    return bool(tensor.max() > INT32.max or tensor.min() < INT32.min)
