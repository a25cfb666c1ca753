"""Single values in 16 bits that all of their readers read: where 8 lose most."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.graph.aten import kind
from edgevit.integer.lowering.builder import Builder, QuantTensor
from edgevit.integer.lowering.context import Context
from edgevit.integer.lowering.layout import TensorLayout
from edgevit.integer.lowering.lower import Observation, observe
from edgevit.integer.lowering.quantized import QuantOptions
from edgevit.quantize import Grid, ranked, wide_values
from edgevit.quantize.calibration import generated
from edgevit.quantize.noise import snr
from tests.quantize.imported import rewritten

IMAGE = torch.randn(1, 3, 12, 12)


class Net(nn.Module):
    """A function, a clamp, a depthwise convolution, a group norm and a stream between products."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.up = nn.Conv2d(16, 24, 1)
        self.deep = nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.norm = nn.GroupNorm(1, 24)
        self.down = nn.Conv2d(24, 16, 3, padding=1, stride=2, groups=2)
        self.mix = nn.ModuleList(nn.Conv2d(16, 16, 1) for _ in range(2))
        self.head = nn.Linear(16 * 36, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(self.stem(x))
        x = self.norm(self.deep(self.up(x).relu()))
        x = self.down(x)
        for mix in self.mix:
            x = x + nn.functional.gelu(mix(x))
        return self.head(x.flatten(1))


@pytest.fixture(scope="module")
def observation() -> Observation:
    program = rewritten(Net(), IMAGE)
    observation = observe(program, generated(program, count=8), QuantOptions(), ["int16"])
    return observation.with_deep("int16")


def test_what_may_have_16_bits(observation: Observation) -> None:
    """Not what a stream is added to, and no value whose readers read 8."""
    values = wide_values(observation.program, observation.plan("int16"))
    kinds = sorted("+".join(kind(node) for node in one.nodes) for one in values)
    clamped = [one for one in values if len(one.nodes) > 1]
    assert [kind(node) for node in clamped[0].nodes] == ["conv2d", "relu"] and len(clamped) == 1
    assert "silu" in kinds and "add" in kinds and "group_norm" not in kinds


def test_all_of_them_leave_little_noise(observation: Observation) -> None:
    plan = observation.plan("int16")
    grids = observation.grids(plan)
    stored = {node: grids.of(node) for node in plan.observed()}
    order = ranked(observation.program, plan, stored, observation.calibration.inputs[:2])
    runs = generated(observation.program, seed=9, count=3).inputs
    expected = [observation.program.run(x) for x in runs]
    counts = [0, 4, len(order)]
    deep = [frozenset(node for one in order[:count] for node in one.nodes) for count in counts]
    quantized = [observation.quantized("int16", nodes) for nodes in deep]
    narrow, some, every = (snr(expected, [one.run(x) for x in runs]) for one in quantized)
    assert narrow + 2 < some < every and every > narrow + 5
    ops = quantized[2].graph.ops
    products = [op for op in ops if op.kind in {"linear", "conv2d"}]
    assert [op.kind for op in ops].count("curve") >= 2
    assert all(op.source.dtype == "int8" for op in products)
    weights = {op.constants()["weight"].tobytes() for op in products}
    assert len(weights) < len(products), "both halves read the same weights"


def test_16_bits_are_split_without_a_rest() -> None:
    context = Context.__new__(Context)
    context.builder, context._rescaled, context._halves = Builder(), {}, {}
    value = context.builder.input("x", (2**16, 1), Grid(0.01, 0, "int16"))
    upper, lower = context.halves(QuantTensor(value, TensorLayout.plain((2**16, 1))))
    numbers = {"x": np.arange(-(2**15), 2**15, dtype=np.int16)[:, None]}
    for op in context.builder.graph("net", [upper.value, lower.value]).ops:
        numbers[op.name] = op.run(*(numbers[one.name] for one in op.inputs))
    high, low = (numbers[one.value.name].astype(np.int64) for one in (upper, lower))
    exact = 256 * high + low == numbers["x"]
    assert exact[: -2 * 128].all(), "all but those that an upper 128 would stand for"
    assert (
        context.halves(QuantTensor(value, TensorLayout.plain((2**16, 1))))[0].value is upper.value
    )


class Steep(nn.Module):
    """Of what a function reads, most is so far below zero that it is flat there."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv2d(3, 16, 1), nn.Conv2d(16, 4, 1)
        self.stem.weight.data[1:] /= 10
        self.stem.weight.data[0] = 2000
        self.stem.bias = nn.Parameter(torch.tensor([-8000.0, *[0.0] * 15]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(nn.functional.gelu(self.stem(x.clamp(-1, 1))))


def test_a_function_s_pieces_lie_where_it_is_not_flat() -> None:
    program = rewritten(Steep(), IMAGE)
    observation = observe(program, generated(program, count=4), QuantOptions(), ["int8"])
    observation = observation.with_deep("int8")
    values = wide_values(observation.program, observation.plan("int8"))
    deep = frozenset(node for one in values for node in one.nodes)
    ops = observation.quantized("int8", deep).graph.ops
    (curve,) = (op for op in ops if op.kind == "curve" and op.settings() == "gelu")
    assert 2**15 * curve.source.scale < 100, "of the 10,000 that there are"


class Uneven(nn.Module):
    """The largest channel of what a function gives hardly counts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv2d(3, 16, 1), nn.Conv2d(16, 4, 1)
        self.stem.weight.data[0] *= 60
        self.head.weight.data[:, 0] /= 1e5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(nn.functional.gelu(self.stem(x)))


def test_a_value_has_the_range_that_costs_the_outputs_least() -> None:
    program = rewritten(Uneven(), IMAGE)
    observation = observe(program, generated(program, count=4), QuantOptions(), ["int8"])
    own = observation.with_own_ranges("int8", generated(program, seed=5, count=4).inputs)
    runs = generated(program, seed=9, count=3).inputs
    expected = [program.run(x) for x in runs]
    usual, chosen = (
        snr(expected, [one.quantized("int8").run(x) for x in runs]) for one in (observation, own)
    )
    assert chosen > usual + 6
    deep = frozenset(node for one in wide_values(own.program, own.plan("int8")) for node in one.nodes)  # fmt: skip
    wide = own.with_deep("int8").quantized("int8", deep)
    assert snr(expected, [wide.run(x) for x in runs]) > chosen
