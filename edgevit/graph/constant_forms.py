"""Constants without their numbers for a trace, built of their forms alone.

torch rebuilds the view and the storage of each constant, three times a lowering and some milliseconds
each. No pass looks at them, and an integer net has three constants for each weight.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.export import exported_program

_FAKES = "_fakify_params_buffers"
Fakes = Callable[[FakeTensorMode, torch.nn.Module], dict[str, torch.Tensor]]


@contextmanager
def constants_by_form() -> Generator[None]:
    usual = getattr(exported_program, _FAKES, None)
    if usual is None:  # not in every release of torch
        yield
        return
    with patch.object(exported_program, _FAKES, _by_form(usual)):
        yield


def _by_form(usual: Fakes) -> Fakes:
    def fakes(mode: FakeTensorMode, module: torch.nn.Module) -> dict[str, torch.Tensor]:
        tensors = {
            **dict(module.named_parameters(remove_duplicate=False)),
            **dict(module.named_buffers(remove_duplicate=False)),
        }
        if not all(map(_is_plain, tensors.values())):
            return usual(mode, module)
        distinct = {id(tensor): tensor for tensor in tensors.values()}
        forms = {place: _fake(tensor, mode) for place, tensor in distinct.items()}
        return {name: forms[id(tensor)] for name, tensor in tensors.items()}

    return fakes


def _is_plain(tensor: torch.Tensor) -> bool:
    return (
        type(tensor) is torch.Tensor
        and tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and not (tensor.requires_grad or tensor.is_conj() or tensor.is_neg())
    )


def _fake(tensor: torch.Tensor, mode: FakeTensorMode) -> FakeTensor:
    form = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    return FakeTensor(mode, form, tensor.device)
