"""Copies of modules that share nothing with the original, and notes on how the copy differs."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch import nn

from edgevit.errors import ModelError
from edgevit.frontend.live.closures import rebind
from edgevit.frontend.live.inputs import with_article
from edgevit.frontend.scripts import refuse_script
from edgevit.frontend.trial import first_line

_WIDENED = (torch.float16, torch.bfloat16, torch.float64)
_DEPTH = 3  # of lists and dictionaries in an attribute
_NAMESPACES = (type, types.ModuleType, types.FunctionType)  # what is in them is not a model's own


class Copies:
    """Copies of all modules of one model: a module that is there twice is copied once."""

    def __init__(self) -> None:
        self._memo: dict[int, Any] = {}
        self._notes: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._notes))

    def of(self, value: Any) -> Any:
        """Copy a module, or an object that holds modules. Compiled and parallel ones are unwrapped."""
        roots = list(modules_in(value))
        for root in roots:
            self._notes += _notes_on(root)
            self._unwrap(root)
        try:
            with torch.no_grad():  # a script copies its weights by calls that autograd records
                duplicate = copy.deepcopy(value, self._memo)
        except Exception as error:
            raise _uncopied(value, error) from error
        for part in chain.from_iterable(root.modules() for root in modules_in(duplicate)):
            part._compiled_call_impl = None
            rebind(part, self._memo)
        return duplicate

    def _unwrap(self, root: nn.Module) -> None:
        """Have wrappers copied as the module inside, and results of autograd as constants."""
        if isinstance(root, torch.jit.ScriptModule):
            raise refuse_script(type(root).__name__)
        for part in root.modules():
            for tensor in _tensors_of(part):
                if not tensor.is_leaf and id(tensor) not in self._memo:
                    self._memo[id(tensor)] = tensor.detach().clone()
        for wrapper in reversed(list(root.modules())):  # the innermost first
            inner = _inside(wrapper)
            if inner is not None and id(wrapper) not in self._memo:
                self._notes.append(
                    f"{type(wrapper).__name__} is left out: the module inside it is exported"
                )
                self._memo[id(wrapper)] = copy.deepcopy(inner, self._memo)


def modules_in(value: object, depth: int = _DEPTH) -> Iterator[nn.Module]:
    """Yield the outermost modules in a value: in containers, and in an object's attributes."""
    if isinstance(value, nn.Module):
        yield value
    elif depth and isinstance(value, Mapping):
        yield from chain.from_iterable(modules_in(item, depth - 1) for item in value.values())
    elif depth and isinstance(value, list | tuple | set):
        yield from chain.from_iterable(modules_in(item, depth - 1) for item in value)
    elif depth and hasattr(value, "__dict__") and not isinstance(value, _NAMESPACES):
        yield from modules_in(vars(value), depth - 1)


def _inside(module: nn.Module) -> nn.Module | None:
    """Return the module that a wrapper runs; None for a module that is no wrapper."""
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return module.module
    inner = getattr(module, "_orig_mod", None)
    return inner if type(module).__name__ == "OptimizedModule" else None


def _tensors_of(part: nn.Module) -> Iterator[torch.Tensor]:
    yield from _tensors_in(
        {name: value for name, value in vars(part).items() if name != "_modules"}, _DEPTH
    )


def _tensors_in(value: object, depth: int) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif depth and isinstance(value, Mapping | list | tuple):
        items: Iterable[object] = value.values() if isinstance(value, Mapping) else value
        yield from chain.from_iterable(_tensors_in(item, depth - 1) for item in items)


def _notes_on(root: nn.Module) -> Iterator[str]:
    """Yield what a caller may not expect of the exported copy."""
    training = [name for name, part in root.named_modules() if part.training]
    if root.training:
        yield "the module is in training mode: a copy in eval mode is exported"
    elif training:
        yield f"{_listed(training)} in training mode: a copy in eval mode is exported"
    tensors = [*root.parameters(), *root.buffers()]
    devices = {str(t.device) for t in tensors if t.device.type not in ("cpu", "meta")}
    if devices:
        yield f"the module is on {', '.join(sorted(devices))}: a copy on the CPU is exported"
    kinds = {str(t.dtype).removeprefix("torch.") for t in tensors if t.dtype in _WIDENED}
    if kinds:
        yield f"the module has {', '.join(sorted(kinds))} weights: a copy in float32 is exported"
    if hooked := [name or "the module" for name, part in root.named_modules() if _has_hooks(part)]:
        yield f"forward hooks of {_listed(hooked)} are part of the export, which called them"


def _has_hooks(part: nn.Module) -> bool:
    return bool(part._forward_hooks or part._forward_pre_hooks)


def _listed(names: list[str], most: int = 3) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*(f"`{name}`" for name in names[:most]), *more])


def _uncopied(value: object, error: Exception) -> ModelError:
    return ModelError(
        f"{with_article(type(value).__name__)} cannot be copied, and the export works on a copy",
        where=type(value).__name__,
        why=first_line(error),
        hint="remove the attribute that cannot be copied, or give the class or a spec: net.py:build",
    )
