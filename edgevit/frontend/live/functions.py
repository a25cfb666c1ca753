"""A function as a module, over copies of the modules and tensors that the function reads.

def f(x): return net(x).softmax(-1)   ->   FunctionModel with a child `net`, a copy
"""

from __future__ import annotations

import functools
import sysconfig
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from edgevit.frontend.live.closures import fill_cells, with_empty_cells
from edgevit.frontend.live.copies import Copies, modules_in

Function = Callable[..., object]
_STANDARD = sysconfig.get_path("stdlib")


class FunctionModel(nn.Module):
    """Module whose forward is a function; the modules that it calls are children."""

    def __init__(self, function: Function, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self._function = function

    def forward(self, *args: Any, **kwargs: Any) -> object:
        return self._function(*args, **kwargs)


def function_model(function: Function, copies: Copies) -> FunctionModel:
    """Return a function as a module. The function's own modules and tensors are copied."""
    reader = _Reader(copies)
    duplicate = reader.copied(original_of(function))
    return FunctionModel(duplicate, reader.parts)


def original_of(function: Function) -> Function:
    """Return the function that `torch.compile` wrapped, else the function itself."""
    return getattr(function, "_torchdynamo_orig_callable", function)


class _Reader:
    """Copier of a function with all that it reads. The copied modules are `parts`."""

    def __init__(self, copies: Copies) -> None:
        self.parts: dict[str, nn.Module] = {}
        self._copies = copies
        self._functions: dict[int, types.FunctionType] = {}

    def copied(self, value: Any, name: str = "model") -> Any:
        match value:
            case torch.Tensor():
                return _constant(value)
            case types.FunctionType():
                return self._function(value)
            case types.MethodType():
                return types.MethodType(value.__func__, self.copied(value.__self__, name))
            case functools.partial():
                args = [self.copied(a, name) for a in value.args]
                keywords = {k: self.copied(v, k) for k, v in value.keywords.items()}
                return functools.partial(self.copied(value.func, name), *args, **keywords)
            case _ if any(modules_in(value)):
                duplicate = self._copies.of(value)
                self._adopt(duplicate, name)
                return duplicate
            case _:
                return value

    def _function(self, function: types.FunctionType) -> types.FunctionType:
        """Copy a function, with its closure and globals over copies.

        Of a library's function the closure alone is copied: a decorator has the caller's there.
        """
        if id(function) in self._functions:
            return self._functions[id(function)]
        library = _is_of_library(function)
        if library and not function.__closure__:
            return function
        names = function.__globals__ if library else dict(function.__globals__)
        duplicate = with_empty_cells(function, names)
        self._functions[id(function)] = duplicate  # before what it reads: it may call itself
        for name in () if library else set(_names(function.__code__)) & set(function.__globals__):
            duplicate.__globals__[name] = self.copied(function.__globals__[name], name)
        fill_cells(duplicate, function, self.copied)
        return duplicate

    def _adopt(self, duplicate: object, name: str) -> None:
        """Make copied modules children, so that they are made ready like any others."""
        for module in modules_in(duplicate):
            if not any(module is part for part in self.parts.values()):
                free = name if name not in self.parts else f"{name}_{len(self.parts)}"
                self.parts[free] = module


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _names(inner)


def _is_of_library(function: types.FunctionType) -> bool:
    file = function.__code__.co_filename
    return "site-packages" in file or file.startswith((_STANDARD, "<frozen"))


def _constant(tensor: torch.Tensor) -> torch.Tensor:
    constant = tensor.detach().cpu().clone()
    return constant.float() if constant.is_floating_point() else constant
