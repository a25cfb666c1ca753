"""Branches on numbers of the model's own: what parameters and buffers alone compute is known at capture.

    if self.scale > 0: ...        for share in self.shares: if share > 0.5: ...

`torch.export` takes each number that is read out of a tensor for one that changes from run to run. Its fake tensors can
carry the number that they stand for, and pass it on while a result is one number: those of small parameters and buffers
do so here. A model that writes into one of its tensors is refused as before: its next run may branch otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorConverter
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from edgevit.frontend.functional import written_inputs

_MOST = 4096  # numbers in a tensor: what such tensors alone compute is computed while tracing


def export(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> ExportedProgram:
    """Export the module; where it branches on a number, again with its own numbers known."""
    try:
        return torch.export.export(module, inputs, strict=False)
    except GuardOnDataDependentSymNode as error:
        with _known_numbers(module):
            program = torch.export.export(module, inputs, strict=False)
        if written_inputs(program.graph) - {*program.graph_signature.user_inputs}:
            raise error
        return program


@contextmanager
def _known_numbers(module: torch.nn.Module) -> Iterator[None]:
    # Copies: torch runs a write into a known number for real.
    numbers = {
        id(tensor): tensor.detach().clone()
        for tensor in chain(module.parameters(), module.buffers())
        if tensor.numel() <= _MOST
    }
    convert = FakeTensorConverter.from_real_tensor

    def with_number(
        self: Any, fake_mode: Any, tensor: torch.Tensor, *rest: Any, **named: Any
    ) -> Any:
        fake = convert(self, fake_mode, tensor, *rest, **named)
        if id(tensor) in numbers and fake.constant is None:
            fake.constant = numbers[id(tensor)]
            self.add_constant_storage_mapping(fake)
        return fake

    FakeTensorConverter.from_real_tensor = with_number  # type: ignore[method-assign]
    try:
        yield
    finally:
        FakeTensorConverter.from_real_tensor = convert  # type: ignore[method-assign]
