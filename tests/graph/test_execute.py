"""GraphRun of a graph, call after call."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from operator import getitem, setitem
from typing import Any

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # pyright: ignore[reportUnusedImport]  # registers its operators
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


@pytest.mark.parametrize("zero", [0, -17])
def test_integers_that_all_readers_dequantise_are_the_same_numbers_in_floats(zero: int) -> None:
    ops, where = torch.ops.quantized_decomposed, (0.037, zero, -128, 127, torch.int8)
    graph = fx.Graph()
    x = graph.placeholder("x")
    x.meta["val"] = torch.empty(0)
    inner, read = (
        graph.call_function(ops.quantize_per_tensor.default, (x, *where)) for _ in range(2)
    )
    twins = [
        graph.call_function(ops.dequantize_per_tensor.default, (one, *where))
        for one in (inner, inner, read)
    ]
    graph.output((*twins, read))
    numbers = torch.cat(
        [9 * torch.randn(10_000), torch.tensor([-0.0, -1e-9, torch.inf, -torch.inf])]
    )
    types: dict[str, torch.dtype] = {}

    def look(node: fx.Node, result: Any) -> None:
        types[node.name] = result.dtype

    plain = GraphRun(graph, {}).run((numbers,))
    fused = GraphRun(graph, {}, fuses_pairs=True).run((numbers,), look)
    assert all(map(torch.equal, plain, fused))
    assert torch.equal(plain[0].signbit(), fused[0].signbit())
    assert (types[inner.name], types[read.name]) == (torch.float32, torch.int8)


def of_rows(call: Any) -> fx.Graph:
    """Return a graph of what only some operators have a rule for, with norms that want their rows in order."""
    graph = fx.Graph()
    x = graph.placeholder("x")
    x.meta["val"] = torch.empty(2, 4, 3)
    turned = graph.call_function(torch.ops.aten.transpose.int, (x, 1, 2))
    parts = graph.call_function(torch.ops.aten.split.Tensor, (turned, 2, 2))
    part = graph.call_function(getitem, (parts, 1))
    normal = graph.call_function(torch.ops.aten.group_norm.default, (part, 1, None, None, 1e-5))
    graph.output((graph.call_function(call, (normal,)), turned))
    return graph


def by_its_sum(x: torch.Tensor) -> torch.Tensor:
    return x * float(x.abs().sum())  # a number that Python reads: no batch has one


@pytest.mark.parametrize("call", [torch.ops.aten.clone.default, by_its_sum])
def test_several_inputs_give_what_each_gives(call: Any) -> None:
    runs = [(torch.randn(2, 4, 3),) for _ in range(5)]
    seen: dict[str, list[Any]] = defaultdict(list)
    run = GraphRun(of_rows(call), {})
    outputs = run.run_all(runs, lambda node, result: seen[node.name].append(result))
    for place, inputs in enumerate(runs):
        expected: dict[fx.Node, Any] = {}
        for one, other in zip(
            run.run(inputs, partial(setitem, expected)), outputs[place], strict=True
        ):
            torch.testing.assert_close(other, one)
        for node, result in expected.items():
            torch.testing.assert_close(seen[node.name][place], result)
    assert {len(results) for results in seen.values()} == {len(runs)}
