"""GraphRun of a graph, call after call."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import fx

from edgevit.graph.execute import GraphRun


def traced() -> fx.Graph:
    graph = fx.Graph()
    x, y = graph.placeholder("x"), graph.placeholder("y")
    joined = graph.call_function(torch.ops.aten.cat.default, ([x, y, x], 1))
    scaled = graph.get_attr("scale")
    product = graph.call_function(torch.ops.aten.mul.Tensor, (joined, scaled))
    graph.output((product, graph.call_function(torch.ops.aten.sub.Tensor, (x, y)), x))
    return graph


def test_values_are_read_from_lists_and_in_order() -> None:
    x, y = torch.randn(2, 2, 2)
    scale = torch.tensor(3.0)
    seen: list[Any] = []
    run = GraphRun(traced(), {"scale": scale})
    outputs = run.run((x, y), lambda node, _: seen.append(node.name))
    expected = (torch.cat([x, y, x], 1) * scale, x - y, x)
    assert all(map(torch.equal, outputs, expected))
    assert seen == ["x", "y", "cat_default", "scale", "mul_tensor", "sub_tensor"]


def test_an_error_names_the_call() -> None:
    run = GraphRun(traced(), {"scale": torch.ones(())})
    with pytest.raises(RuntimeError, match="While executing %cat_default"):
        run.run((torch.zeros(2, 2), torch.zeros(3, 2)))
