"""torch's passes without four costs that grow with their number, for the time of a lowering.

`run_decompositions` asks the dispatcher for the composite operators once for each of some forty
namespaces: half the time of a one-line net's lowering. Each pass over a graph copies the history of
every node, which the pass before made longer, and ExecuTorch has forty passes. Each graph is written
and compiled as Python too, several times a pass, and hardly any of that is ever called. The form of
a result is cached for torch's own operators alone: that of a quantize or dequantize call, of which
an integer net has hundreds, is computed in Python in every pass.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from traceback import FrameSummary, StackSummary
from typing import Any
from unittest.mock import patch

import torch
from torch._export import utils
from torch._library import utils as library
from torch.fx import GraphModule, proxy, traceback

_LIST = "_materialize_cpp_cia_ops"
_CODEGEN, _INPUTS, _OUTPUTS = "_codegen", "_in_spec", "_out_spec"
_COMPILE = "recompile"
_STACK, _PROFILER = "CapturedTraceback", "_profiler"
_OWN = "is_builtin"
_INTEGERS = "quantized_decomposed"
_COMPILED = ("forward", "_code", "_lineno_map", "_prologue_start")


@contextmanager
def cheaper_passes() -> Generator[None]:
    """List composite operators once, share histories instead of copying them, compile a graph when
    its code is asked for, and cache forms of quantized numbers.

    Nothing registers an operator inside, and nothing changes a history.
    """
    with ExitStack() as stack:
        if listing := getattr(utils, _LIST, None):  # not in every release of torch
            stack.callback(setattr, utils, _LIST, listing)
            setattr(utils, _LIST, functools.cache(listing))
        history = getattr(traceback, "NodeSource", None)
        if history and not hasattr(history, "__deepcopy__"):
            history.__deepcopy__ = _itself
            stack.callback(delattr, history, "__deepcopy__")
        stack.callback(setattr, GraphModule, _COMPILE, GraphModule.recompile)
        later = functools.partialmethod(_compile_later, GraphModule.recompile)
        setattr(GraphModule, _COMPILE, later)
        stack.enter_context(patch.object(library, _OWN, _has_known_form(library.is_builtin)))
        yield


def _has_known_form(is_builtin: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return torch's check for operators whose results' forms it caches, with the quantized ones."""
    return lambda operator: operator.namespace == _INTEGERS or is_builtin(operator)


def _itself(history: Any, memo: dict[int, Any]) -> Any:
    return history


@contextmanager
def no_stack_traces() -> Generator[None]:
    """Leave out the stack of each new node: it is that of the pass."""
    usual = getattr(proxy, _STACK, None)
    if usual is None:
        yield
        return
    setattr(proxy, _STACK, _NoStack)
    try:
        yield
    finally:
        setattr(proxy, _STACK, usual)


@contextmanager
def stacks_of_forwards() -> Generator[None]:
    """Read of each new node's stack what a capture records of it: the calls of a `forward`.

    Two hundred frames otherwise have their source line read, and are dropped.
    """
    usual = getattr(proxy, _STACK, None)
    if usual is None:
        yield
        return
    anchors: frozenset[tuple[str, str]] = getattr(proxy, "_STACK_TRACE_ANCHORS", frozenset())
    profiler: Any = getattr(torch._C, _PROFILER)  # pyright: ignore[reportPrivateUsage]

    def is_recorded(frame: dict[str, Any]) -> bool:
        path, name = frame["filename"], frame["name"]
        return name == "forward" or path.endswith("torch/__init__.py") or (path, name) in anchors

    class Forwards(usual):  # type: ignore[misc, valid-type]
        @staticmethod
        def extract(**options: Any) -> Any:
            captured = usual.extract(**options)
            return Forwards(captured.tb, captured.skip)

        def summary(self) -> StackSummary:
            frames: list[dict[str, Any]] = profiler.symbolize_tracebacks([self.tb])[0]
            recorded = filter(is_recorded, reversed(frames[self.skip :]))
            return StackSummary.from_list(
                [FrameSummary(one["filename"], one["line"], one["name"]) for one in recorded]
            )

    setattr(proxy, _STACK, Forwards)
    try:
        yield
    finally:
        setattr(proxy, _STACK, usual)


class _NoStack:
    @classmethod
    def extract(cls) -> _NoStack:
        return cls()

    def summary(self) -> tuple[str, ...]:
        return ()


class _Later:
    """What compiling a module's graph gives, in its place until it is asked for."""

    def __init__(self, name: str, graph_module: GraphModule, compile: Callable[..., Any]) -> None:
        self._name = name
        self._module = weakref.ref(graph_module)  # which owns the class that has this
        self._compile = compile

    def __get__(self, instance: Any, owner: type) -> Any:
        graph_module = self._module()
        if graph_module is None:
            raise AttributeError(self._name)
        for name in _COMPILED:
            if isinstance(vars(type(graph_module)).get(name), _Later):
                delattr(type(graph_module), name)
        self._compile(graph_module)
        return getattr(owner if instance is None else instance, self._name)


def _compile_later(graph_module: GraphModule, compile: Callable[..., Any]) -> None:
    structure = getattr(getattr(graph_module.graph, _CODEGEN), "pytree_info", None)
    if structure is not None:
        setattr(graph_module, _INPUTS, structure.in_spec)
        setattr(graph_module, _OUTPUTS, structure.out_spec)
    for name in _COMPILED:
        graph_module.__dict__.pop(name, None)
        setattr(type(graph_module), name, _Later(name, graph_module, compile))
