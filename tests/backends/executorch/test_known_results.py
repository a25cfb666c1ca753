"""Passes of ExecuTorch execute a call once, until its arguments change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.utils._pytree import tree_structure

from edgevit.backends.executorch.known_results import _delegated, results_known

exir = pytest.importorskip("executorch.exir")
passes = pytest.importorskip("executorch.exir.pass_base")


class Net(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sin().reshape(2, 3).permute(1, 0).sum(1)


class SumsColumns(passes.ExportPass):
    """Reads rows where the graph reads columns, with what the graph says of the result left as it was."""

    def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
        is_permute = "permute" in str(op)
        return super().call_operator(op, (args[0], [0, 1]) if is_permute else args, kwargs, meta)


def shapes(module: torch.fx.GraphModule) -> list[tuple[int, ...]]:
    calls = [node for node in module.graph.nodes if node.op == "call_function"]
    return [tuple(node.meta["val"].shape) for node in calls]


def test_a_call_on_the_same_arguments_is_executed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = torch.export.export(Net(), (torch.rand(6),))
    edge = exir.to_edge(exported).exported_program().graph_module
    expected = shapes(SumsColumns()(edge).graph_module)
    executed: list[str] = []
    execute = torch.fx.Interpreter.call_function

    def counted(self: Any, target: Any, args: Any, kwargs: Any) -> Any:
        executed.append(target.__name__)
        return execute(self, target, args, kwargs)

    monkeypatch.setattr(torch.fx.Interpreter, "call_function", counted)
    with results_known():
        first = passes.ExportPass()(edge).graph_module
        assert len(executed) == len(shapes(edge))
        again = passes.ExportPass()(first).graph_module
        assert len(executed) == len(shapes(edge)) and shapes(again) == shapes(edge)
        changed = SumsColumns()(again).graph_module
    assert shapes(changed) == expected != shapes(edge)
    assert executed[len(shapes(edge)) :] == ["aten.permute_copy.default", "aten.sum.dim_IntList"]


def test_a_delegates_results_are_known_where_it_reads_a_constant() -> None:
    graph = torch.fx.Graph()
    x, constant = graph.placeholder("x"), graph.placeholder("constant")
    total = graph.call_function(torch.ops.aten.add.Tensor, (x, constant))
    with FakeTensorMode() as mode:
        given, result = torch.empty(2, 3), torch.empty(2, 3)
    number = torch.tensor(2.0)
    for node, form in ((x, given), (constant, number), (total, result)):
        node.meta["val"] = form
    signature = SimpleNamespace(
        user_inputs=("x", "constant"), user_outputs=(total.name,), output_specs=(None,)
    )
    spec = SimpleNamespace(out_spec=tree_structure((0,)))
    module = SimpleNamespace(graph=graph, graph_signature=signature, call_spec=spec)
    delegate = SimpleNamespace(original_module=module)
    known = _delegated(delegate, given, torch.tensor(3.0))
    assert known is not None and known.result == (result,)
    assert _delegated(delegate, given, torch.zeros(3)) is None
    assert _delegated(delegate, given, mode.from_tensor(number)) is not None
