"""The memory that a conversion needs, estimated before it is begun: a converter that runs out of it is killed without a word.

Converters have the constants at least twice, as they were read and as they are written, and the largest value twice,
before and after a call.
"""

from __future__ import annotations

from math import prod

import torch
from torch.fx.node import Node

from edgevit.errors import MemoryLimitError
from edgevit.graph.aten import op
from edgevit.graph.program import Program, origin
from edgevit.graph.text import type_text
from edgevit.support import memory

_COPIES = 2


def constant_bytes(program: Program) -> int:
    return sum(tensor.nbytes for tensor in program.constants.values())


def require_memory(program: Program, title: str) -> None:
    """Raise `MemoryLimitError`, naming the heaviest constant or call."""
    available = memory.available_bytes()
    constants = constant_bytes(program)
    widest = max(program.calls(), key=_bytes, default=None)
    value = _bytes(widest) if widest is not None else 0
    needed = _COPIES * (constants + value)
    if available is None or needed <= available:
        return
    name, tensor = max(program.constants.items(), key=lambda item: item[1].nbytes, default=("", None))  # fmt: skip
    if widest is not None and (tensor is None or value > tensor.nbytes):
        heavy, place = f"`{op(widest)}` -> {type_text(widest.meta['val'])}", origin(widest).place
    else:
        heavy, place = f"constant `{name}`, {type_text(tensor)}", _reader(program, name)
    raise MemoryLimitError(
        f"a conversion to {title} needs about {needed / 1e6:,.0f} MB of memory",
        where=f"{place}   {heavy}",
        why=f"{available / 1e6:,.0f} MB are available on this machine, and the constants alone are {constants / 1e6:,.0f} MB",
        hint="a smaller --input-size or model, or a machine with more memory",
    )


def _bytes(node: Node) -> int:
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return 0
    return prod(value.shape) * value.element_size()


def _reader(program: Program, name: str) -> str:
    """Return the call that reads a constant."""
    readers = (
        user
        for node in program.graph.nodes
        if node.op == "get_attr" and node.target == name
        for user in node.users
    )
    reader = next(readers, None)
    return origin(reader).place if reader is not None else ""
