"""Passes of ExecuTorch that read the form of a result from the pass before.

Each of its passes calls every operator anew on tensors without numbers. Most calls are those of the pass
before, on tensors of the same form: then the result is that of the pass before too. A call of a delegate runs the
whole graph that was delegated, whose results are known.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch._export import pass_base
from torch._higher_order_ops.executorch_call_delegate import executorch_call_delegate
from torch._subclasses import FakeTensor
from torch.fx import Interpreter
from torch.utils._pytree import tree_unflatten

from edgevit.backends.executorch.tool import module

_TORCHS = "_ExportPassBaseDeprecatedDoNotUse"


@dataclass(frozen=True)
class _ExecutedCall:
    """A call that a pass has made."""

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: FakeTensor


class _Executor(Interpreter):
    """Executes calls for a pass, as the interpreter in whose place it stands."""

    def __init__(self, usual: Interpreter, calls: dict[int, _ExecutedCall]) -> None:
        self._usual = usual
        self._calls = calls
        self.earlier: Any = None  # result of the node that the pass looks at, before the pass

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        call = self._calls.get(id(self.earlier))
        if call is not None and _is_same((target, args, kwargs), call):
            return call.result
        if target is executorch_call_delegate and not kwargs and (of_graph := _delegated(*args)):
            return of_graph.result
        result = self._usual.call_function(target, args, kwargs)
        if type(result) is FakeTensor and _is_plain(result):
            self._calls[id(result)] = _ExecutedCall(target, args, kwargs, result)
        return result


@contextmanager
def results_known() -> Generator[None]:
    """Let passes share results. No pass changes a result in place."""
    calls: dict[int, _ExecutedCall] = {}  # by the id of its result, which it keeps alive

    def remembering(usual: Any) -> Any:
        def call(self: Any, kind: str, target: Any, args: Any, kwargs: Any, meta: Any) -> Any:
            if not isinstance(self.interpreter, _Executor):
                self.interpreter = _Executor(self.interpreter, calls)
            self.interpreter.earlier = meta.data.get("val")
            return usual(self, kind, target, args, kwargs, meta)

        return call

    with ExitStack() as stack:
        own, torchs = module("exir.pass_base")._ExportPassBase, getattr(pass_base, _TORCHS, None)
        for base in filter(None, (own, torchs)):  # torch's is not in every release
            stack.enter_context(patch.object(base, "_fx", remembering(base._fx)))
        yield


class _Delegated(NamedTuple):
    result: Any


def _delegated(lowered: Any, *args: Any) -> _Delegated | None:
    """Return what a delegate's graph gives; None where its inputs have another form than it was made for."""
    graph, signature = lowered.original_module.graph, lowered.original_module.graph_signature
    nodes = {node.name: node.meta.get("val") for node in graph.nodes}
    inputs, outputs = list(signature.user_inputs), list(signature.user_outputs)
    results = [nodes.get(name) for name in outputs]
    if len(outputs) < len(signature.output_specs) or not all(map(_is_fake, results)):
        return None
    if len(args) != len(inputs) or not all(map(_has_form, args, map(nodes.get, inputs))):
        return None
    return _Delegated(tree_unflatten(results, lowered.original_module.call_spec.out_spec))


def _has_form(value: Any, stated: Any) -> bool:
    """Compare an input with what the graph was made for: one of them, or both, may be a constant with its numbers."""
    if isinstance(value, FakeTensor) and isinstance(stated, FakeTensor):
        return are_same(value, stated)
    if not isinstance(value, torch.Tensor) or not isinstance(stated, torch.Tensor):
        return False
    forms = [(one.dtype, one.shape, one.stride(), one.device) for one in (value, stated)]
    return forms[0] == forms[1]


def _is_fake(value: Any) -> bool:
    return type(value) is FakeTensor and _is_plain(value)


def _is_same(call: tuple[Any, Any, Any], earlier: _ExecutedCall) -> bool:
    same = _operator(call[0]) is _operator(earlier.target)
    return same and are_same(call[1:], (earlier.args, earlier.kwargs))


def _operator(target: Any) -> Any:
    """Return the operator that an operator of ExecuTorch's dialect calls, and others themselves."""
    return target._op if isinstance(target, _edge_operator()) else target


@functools.cache
def _edge_operator() -> type:
    return module("exir.dialects.edge._ops").EdgeOpOverload


def are_same(value: Any, earlier: Any) -> bool:
    """Compare arguments, tensors by what a result's form depends on."""
    if value is earlier:
        return True
    if type(value) is not type(earlier):
        return False
    if isinstance(value, list | tuple):
        return len(value) == len(earlier) and all(map(are_same, value, earlier))
    if isinstance(value, dict):
        return value.keys() == earlier.keys() and all(
            are_same(value[key], earlier[key]) for key in value
        )
    if isinstance(value, FakeTensor):
        return _is_plain(value) and _is_plain(earlier) and _form(value) == _form(earlier)
    return not isinstance(value, torch.Tensor) and value == earlier


def _is_plain(tensor: FakeTensor) -> bool:
    return tensor.constant is None and not tensor._has_symbolic_sizes_strides


def _form(tensor: FakeTensor) -> tuple[Any, ...]:
    return (
        tensor.fake_mode,
        tensor.dtype,
        tensor.shape,
        tensor.stride(),
        tensor.storage_offset(),
        tensor.device,
        tensor.requires_grad,
    )
