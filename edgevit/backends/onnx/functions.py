"""onnxscript's ONNX functions for torch's operators, read for those that a graph calls.

torch reads all of them at every export, and parses the source of some hundred functions: half the
export of a small net. Its decomposition traces the whole graph anew, and leaves it as it is where
every operator has a function. So does its promotion of types where all values are of one type.
Where few operators have none, these alone are decomposed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch.export import ExportedProgram
from torch.onnx._internal import _lazy_import
from torch.onnx._internal.exporter import _decomp, _fx_passes
from torch.utils._pytree import tree_leaves

from edgevit.backends.session import load_library

_SOURCE, _READ = "onnxscript_apis", "get_torchlib_ops"
_PASS, _PROMOTION = "decompose_with_registry", "insert_type_promotion_nodes"
_LIBRARY = "onnxscript.function_libs.torch_lib"
_DEPTH = 4  # decompositions of what decompositions give
_OF_TYPES = frozenset({"aten::scalar_tensor", "aten::_to_copy"})  # added where types are promoted


@contextmanager
def needed_functions(exported: ExportedProgram) -> Iterator[None]:
    """Read the functions of the graph's operators, and decompose it only where one has none."""
    source = getattr(_lazy_import, _SOURCE, None)
    decompose = getattr(_fx_passes, _PASS, None)
    promote = getattr(_fx_passes, _PROMOTION, None)
    if source is None or decompose is None or promote is None:  # not in every release of torch
        yield
        return
    functions = _Functions(exported, getattr(source, _READ), decompose)

    def promoted(module: torch.fx.GraphModule) -> None:
        if not _is_float32(module):
            promote(module)

    with (
        patch.object(source, _READ, functions.read),
        patch.object(_fx_passes, _PASS, functions.decomposed),
        patch.object(_fx_passes, _PROMOTION, promoted),
    ):
        yield


def _is_float32(module: torch.fx.GraphModule) -> bool:
    """Check that every value is a float32 tensor or a list of them, so that none is promoted."""
    nodes = [node for node in module.graph.nodes if node.op in {"placeholder", "call_function"}]
    values = [leaf for node in nodes for leaf in tree_leaves(node.meta.get("val"))]
    return len([*module.modules()]) == 1 and all(
        isinstance(value, torch.Tensor) and value.dtype is torch.float32 for value in values
    )


class _Functions:
    def __init__(
        self,
        exported: ExportedProgram,
        read: Callable[[], list[Any]],
        decompose: Callable[[ExportedProgram, Any], ExportedProgram],
    ) -> None:
        self._names = {_name(node.target) for node in exported.graph.nodes} | _OF_TYPES
        self._read, self._decompose = read, decompose
        self._reads_all = False

    def read(self) -> list[Any]:
        if self._reads_all:
            return _all_of(self._read)
        load_library(f"{_LIBRARY}.ops", "onnx")  # fills the registry
        registration = load_library(f"{_LIBRARY}.registration", "onnx")
        every = registration.default_registry.items()
        called = SimpleNamespace(items=lambda: [item for item in every if item[0] in self._names])
        with patch.object(registration, "default_registry", called):
            return self._read()

    def decomposed(self, exported: ExportedProgram, registry: Any) -> ExportedProgram:
        """Decompose the calls that have no function, and those that come of them."""
        functions = registry.functions = _Growing(registry.functions, partial(self._of, registry))
        program = exported
        for _ in range(_DEPTH):
            missing = {one for one in _targets(program) if not functions.get(_key(one))}
            if not missing:
                return program
            every = _decomp.create_onnx_friendly_decomposition_table(set())
            if not missing <= every.keys():
                break
            program = program.run_decompositions({one: every[one] for one in missing})
        registry.functions = self._everything(registry)  # torch says what it cannot decompose
        return self._decompose(exported, registry)

    def _of(self, registry: Any, key: Any) -> dict[Any, list[Any]]:
        """Read the functions of one operator."""
        self._names = {key if isinstance(key, str) else _name(key)}
        return type(registry).from_torchlib(opset_version=registry.opset_version).functions

    def _everything(self, registry: Any) -> dict[Any, list[Any]]:
        self._reads_all = True
        return type(registry).from_torchlib(opset_version=registry.opset_version).functions


class _Growing(dict[Any, list[Any]]):
    """Functions by operator, which are read when a pass has added the first call of it."""

    def __init__(
        self, functions: dict[Any, list[Any]], read: Callable[[Any], dict[Any, list[Any]]]
    ) -> None:
        super().__init__(functions)
        self._read = functools.cache(read)

    def get(self, operator: Any, default: Any = None) -> Any:
        if operator not in self:
            self.update(self._read(operator))
        return super().get(operator, default)


def _targets(exported: ExportedProgram) -> set[Any]:
    return {node.target for node in exported.graph.nodes if node.op == "call_function"}


def _key(target: Any) -> Any:
    """Return what torch's registry has the functions of an operator under."""
    return target.name() if isinstance(target, torch._ops.OpOverload) else target


@functools.cache
def _all_of(read: Callable[[], list[Any]]) -> list[Any]:
    return read()


def _name(target: Any) -> str:
    """Return an operator's name as onnxscript's registry has it: `aten::add.Tensor`, `aten::relu`."""
    if not isinstance(target, torch._ops.OpOverload):
        return f"{getattr(target, '__module__', '')}::{getattr(target, '__name__', '')}"
    return target.name()
