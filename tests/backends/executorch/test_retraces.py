"""ExecuTorch's passes trace a graph anew where something in it, or the pass itself, calls for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from edgevit.backends.executorch.retraces import needless_retraces_skipped

exir = pytest.importorskip("executorch.exir")
passes = pytest.importorskip("executorch.exir.pass_base")


class Looks(passes.ExportPass):
    """Looks for something, and finds nothing."""

    def call(self, graph_module: torch.fx.GraphModule) -> Any:
        return super().call(graph_module)


class Renames(passes.ExportPass):
    """Makes each cosine a sine in the graph."""

    def call(self, graph_module: torch.fx.GraphModule) -> Any:
        for node in graph_module.graph.nodes:
            if "cos" in str(node.target):
                node.target = exir.dialects._ops.ops.edge.aten.sin.default
        return super().call(graph_module)


class Changes(passes.ExportPass):
    """Makes each sine a cosine, call by call."""

    def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
        edge = exir.dialects._ops.ops.edge.aten
        return super().call_operator(
            edge.cos.default if op == edge.sin.default else op, args, kwargs, meta
        )


class Repeats(passes.ExportPass):
    """Looks at what each call reads, and repeats it as it is."""

    def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
        args, kwargs = passes.map_args(op, lambda value, _: value, args, kwargs)
        return super().call_operator(op, args, kwargs, meta)


class Adds(passes.ExportPass):
    """Negates the result of each call."""

    def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
        result = super().call_operator(op, args, kwargs, meta)
        return super().call_operator(
            exir.dialects._ops.ops.edge.aten.neg.default, (result,), {}, meta
        )


class Marks(passes.ExportPass):
    """Marks each call, and repeats it."""

    def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
        meta["marked"] = True
        return super().call_operator(op, args, kwargs, meta)


class Net(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sin() + 1


def called(module: torch.fx.GraphModule) -> list[str]:
    return [str(node.target) for node in module.graph.nodes if node.op == "call_function"]


def test_only_a_graph_as_the_last_trace_left_it_is_not_traced() -> None:
    exported = torch.export.export(Net(), (torch.rand(3),))
    edge = exir.to_edge(exported).exported_program().graph_module
    with needless_retraces_skipped():
        first = Looks()(edge).graph_module
        assert first is not edge
        assert Looks()(first).graph_module is first
        changed = Changes()(first).graph_module
        assert "aten.cos" in called(changed)[0]
        assert Looks()(changed).graph_module is changed
        renamed = Renames()(changed).graph_module
        assert renamed is not changed
        assert "aten.sin" in called(renamed)[0]
    assert Looks()(renamed).graph_module is not renamed


def test_a_pass_that_repeats_each_call_is_asked_and_not_traced() -> None:
    exported = torch.export.export(Net(), (torch.rand(3),))
    edge = exir.to_edge(exported).exported_program().graph_module
    with needless_retraces_skipped():
        first = Looks()(edge).graph_module
        assert Repeats()(first).graph_module is first
        assert len(called(Adds()(first).graph_module)) == 2 * len(called(first))
        first = Looks()(edge).graph_module
        marked = Marks()(first).graph_module
        assert all(n.meta.get("marked") for n in marked.graph.nodes if n.op == "call_function")
