"""Functions of a copied module that close over the original: hooks, and functions in attributes.

`copy.deepcopy` keeps functions as they are. A hook that fills `self.features` would then fill the original's, and the
copy's forward would read what it was before.
"""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn


def rebind(module: nn.Module, copies: Mapping[int, Any]) -> None:
    """Have the functions of a copied module read the copies, by the id of what they are of."""
    rebound = _Rebound(copies)
    tables: list[dict[Any, Any]] = [module._forward_hooks, module._forward_pre_hooks, vars(module)]
    for functions in tables:
        for name, value in list(functions.items()):
            if isinstance(value, types.FunctionType | functools.partial):
                functions[name] = rebound.of(value)


class _Rebound:
    def __init__(self, copies: Mapping[int, Any]) -> None:
        self._copies = copies
        self._functions: dict[int, types.FunctionType] = {}

    def of(self, value: Any) -> Any:
        match value:
            case types.FunctionType() if value.__closure__:
                return self._function(value)
            case functools.partial():
                args = [self.of(argument) for argument in value.args]
                keywords = {name: self.of(one) for name, one in value.keywords.items()}
                return functools.partial(self.of(value.func), *args, **keywords)
            case _:
                return self._copies.get(id(value), value)

    def _function(self, function: types.FunctionType) -> types.FunctionType:
        if id(function) in self._functions:
            return self._functions[id(function)]
        duplicate = with_empty_cells(function, function.__globals__)
        duplicate.__dict__.update(function.__dict__)
        self._functions[id(function)] = duplicate  # before what it reads: it may call itself
        fill_cells(duplicate, function, lambda content, _: self.of(content))
        return duplicate


def with_empty_cells(function: types.FunctionType, names: dict[str, Any]) -> types.FunctionType:
    """Return a function of the same code over other globals, with nothing in its closure yet."""
    duplicate = types.FunctionType(
        function.__code__,
        names,
        function.__name__,
        function.__defaults__,
        tuple(types.CellType() for _ in function.__closure__ or ()),
    )
    duplicate.__kwdefaults__ = function.__kwdefaults__
    return duplicate


def fill_cells(
    duplicate: types.FunctionType, function: types.FunctionType, copied: Callable[[Any, str], Any]
) -> None:
    """Fill a closure with what `copied` makes of the original's contents and their names."""
    cells = zip(duplicate.__closure__ or (), function.__closure__ or (), strict=True)
    for name, (cell, original) in zip(function.__code__.co_freevars, cells, strict=True):
        with contextlib.suppress(ValueError):  # empty: assigned later, or never
            cell.cell_contents = copied(original.cell_contents, name)
