"""Normalisation of a built module: eval mode, no gradients, CPU, float32, contiguous tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from itertools import chain
from typing import Any

import torch
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from edgevit.errors import ModelError
from edgevit.frontend.source import ModelSource

_OTHER_FLOATS = (torch.float16, torch.bfloat16, torch.float64)
_CASTS = frozenset({torch.Tensor.half, torch.Tensor.bfloat16, torch.Tensor.double})


def ready(source: ModelSource, run: Callable[[ModelSource], object]) -> ModelSource:
    """Normalise a model and its inputs.

    Raises `ModelError` for tensors without data of their own. `run` gives lazy layers their
    weights.
    """
    module = source.module
    _require_data(module)
    _require_strided(module)
    _require_not_quantized(module)
    if any(x.is_meta for x in source.inputs):
        raise ModelError(
            "the example inputs have no data",
            where=source.spec,
            why="they are on the `meta` device",
            hint="make them on the CPU: torch.zeros(1, 3, 224, 224)",
        )
    inputs = tuple(x.detach().cpu() for x in source.inputs)
    inputs = tuple((x.float() if x.is_floating_point() else x).contiguous() for x in inputs)
    source = replace(source, inputs=inputs)
    if source.exported is not None:  # its mode, device and types are fixed
        module.requires_grad_(False)
        return source
    with fixed_mode():
        module.eval()
    if _is_lazy(module):
        run(source)
    module.requires_grad_(False)
    if any(t.dtype in _OTHER_FLOATS for _, t in _tensors(module)):
        _widen(module)
    module.cpu().float()
    for _, tensor in _tensors(module):
        tensor.data = tensor.data.contiguous()
    return source


def fixed_mode() -> AbstractContextManager[None]:
    """Ignore the error of `ExportedProgram.module()` when asked to change mode: it stays in the
    mode it was exported in.
    """
    return suppress(NotImplementedError)


def _tensors(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    return chain(module.named_parameters(), module.named_buffers())


def _is_lazy(module: torch.nn.Module) -> bool:
    kinds = UninitializedParameter | UninitializedBuffer
    return any(isinstance(tensor, kinds) for _, tensor in _tensors(module))


def _require_data(module: torch.nn.Module) -> None:
    without = [name for name, tensor in _tensors(module) if tensor.is_meta]
    if without:
        raise ModelError(
            "the model's parameters have no data",
            where=_first(without),
            why="they are on the `meta` device",
            hint="build the model on the CPU",
        )


def _require_strided(module: torch.nn.Module) -> None:
    sparse = [name for name, tensor in _tensors(module) if tensor.layout != torch.strided]
    if sparse:
        raise ModelError(
            "the model has sparse tensors",
            where=_first(sparse),
            why="no device format has them",
            hint="keep `tensor.to_dense()` instead, and multiply with `@`",
        )


def _require_not_quantized(module: torch.nn.Module) -> None:
    layers = [
        f"{name or 'the model itself'} ({type(layer).__name__})"
        for name, layer in module.named_modules()
        if type(layer).__module__.startswith(
            ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")
        )
    ]
    layers += [name for name, tensor in _tensors(module) if tensor.is_quantized]
    if layers:
        raise ModelError(
            "the model is quantised already",
            where=_first(layers),
            why="torch keeps its quantised weights packed, for its own kernels",
            hint="give the model as it was before `quantize_dynamic` or `convert`",
        )


def _first(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}, and {len(names) - 1} more"


def _widen(module: torch.nn.Module) -> None:
    """Let a model in half (or double) precision compute in float32.

    Such a model casts its input to the former type of its weights. The class changes and not the
    object's own `forward`: a copy of the module would call that of the original.
    """
    kind = type(module)

    @functools.wraps(kind.forward)
    def forward(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        with _Float32():
            return kind.forward(self, *args, **kwargs)

    names = {"forward": forward, "__module__": kind.__module__}
    module.__class__ = type(kind.__name__, (kind,), names)


class _Float32(TorchFunctionMode):
    """Mode that returns float32 whenever another floating point type is requested."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in _CASTS:
            return torch.Tensor.float(args[0])
        return func(*tree_map(_widened, args), **tree_map(_widened, kwargs or {}))


def _widened(argument: Any) -> Any:
    is_other = isinstance(argument, torch.dtype) and argument in _OTHER_FLOATS
    return torch.float32 if is_other else argument
