"""The residual stream in 16 bits: which values it is made of, and what it buys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgevit.graph.aten import kind
from edgevit.integer.graph import Value
from edgevit.integer.lowering.lower import observe, quantize
from edgevit.integer.lowering.quantized import QuantOptions
from edgevit.quantize import CalibrationBatches, CalibrationOptions, Grid, ImageInput, split_judges
from edgevit.quantize.calibration import Calibration, generated
from edgevit.quantize.noise import snr
from edgevit.quantize.residual_stream import residual_stream
from edgevit.quantize.run import quantize_program
from edgevit.quantize.scheme import QuantScheme
from tests.quantize.imported import rewritten

WIDTH = 8
IMAGE = torch.randn(1, 3, 8, 8)


class Net(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.stem = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.deep = nn.ModuleList(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH) for _ in range(3)
        )
        self.up = nn.ModuleList(nn.Conv2d(WIDTH, 12, 1) for _ in range(3))
        self.full = nn.Conv2d(12, WIDTH, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(12, WIDTH, 1) for _ in range(3))

    def mix(self, x: torch.Tensor, index: int) -> torch.Tensor:
        return self.down[index](self.up[index](x).relu())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, self.stem(x))


def hybrid(net: Net, x: torch.Tensor) -> torch.Tensor:
    """What `x + depthwise(x)` is after its collapse."""
    for index in range(3):
        x = net.deep[index](x)
        x = x + net.mix(x, index)
    return x


def plain(net: Net, x: torch.Tensor) -> torch.Tensor:
    for index in range(3):
        x = x + net.mix(x, index)
    return x


def branch(net: Net, x: torch.Tensor) -> torch.Tensor:
    """A depthwise convolution beside the stream is no part of it."""
    x = x + net.mix(x, 0)
    return x + net.mix(net.deep[0](x), 1)


def deeper(net: Net, x: torch.Tensor) -> torch.Tensor:
    """Only the last of two convolutions is added."""
    x = x + net.mix(x, 0)
    return x + net.full(net.up[1](x))


def single(net: Net, x: torch.Tensor) -> torch.Tensor:
    return x + net.mix(x, 0)


def joined(net: Net, x: torch.Tensor) -> torch.Tensor:
    x = torch.cat([x + net.mix(x, 0), 40 * x[:, :, :1]], 2)
    return x + net.mix(x, 1)


def windowed(net: Net, x: torch.Tensor) -> torch.Tensor:
    """What windows are put together from is rounded before that: the image would be there twice, in 16 bits."""
    x = x + net.mix(x, 0)
    windows = x.reshape(1, WIDTH, 2, 4, 2, 4).permute(0, 2, 4, 1, 3, 5).reshape(4, WIDTH, 4, 4)
    parts = net.mix(windows, 1).reshape(1, 2, 2, WIDTH, 4, 4)
    return x + parts.permute(0, 3, 1, 4, 2, 5).reshape(x.shape)


def patches(net: Net, x: torch.Tensor) -> torch.Tensor:
    """A stream of windows begins with what they are taken from, whose rounding would stay in it."""
    x = x.reshape(1, WIDTH, 2, 4, 2, 4).permute(0, 2, 4, 1, 3, 5).reshape(4, WIDTH, 4, 4)
    x = x + net.mix(x, 0)
    return x + net.mix(x, 1)


def test_the_stream_stays_in_floats_where_a_runtime_has_them() -> None:
    """What is added to it is in integers: its rounding is added once."""
    whole = rewritten(Net(lambda net, x: hybrid(net, hybrid(net, x))), IMAGE)
    inputs = generated(whole, count=16)
    integers = QuantScheme(between=frozenset({"add"}))
    rounded, floats = (
        quantize_program(whole, inputs, replace(integers, float_stream=apart))
        for apart in (False, True)
    )
    there = list(map(kind, floats.placement.calls))
    assert "add" in map(kind, rounded.placement.calls) and "add" not in there
    assert (
        there.count("conv2d") == 13
    )  # of 19: without the depthwise ones, which the skip goes through
    assert {island.why for island in floats.placement.islands} == {
        "what is rounded in the residual stream stays in it to the end"
    }
    assert floats.report.held_out_snr > rounded.report.held_out_snr + 3


def normed(net: Net, x: torch.Tensor) -> torch.Tensor:
    for index in range(2):
        x = x + net.mix(functional.layer_norm(x, x.shape[1:]), index)
    return x


@pytest.mark.parametrize(
    ("function", "floats"), [(hybrid, 1), (normed, 1), (plain, 0), (single, 0)]
)
def test_the_stream_is_in_floats_where_norms_read_it_or_noise_falls(
    function: Callable[..., torch.Tensor], floats: int
) -> None:
    whole = rewritten(Net(function), IMAGE)
    scheme = QuantScheme(between=frozenset({"add"}), float_stream=True)
    result = quantize_program(whole, generated(whole, count=16), scheme)
    assert ("add" in {island.kind for island in result.placement.islands}) == bool(floats)


@pytest.mark.parametrize(
    ("function", "adds", "depthwise", "stored", "joins"),
    [(hybrid, 3, 3, 4, 0), (plain, 3, 0, 4, 0), (branch, 2, 0, 3, 0), (deeper, 2, 0, 3, 0), (single, 0, 0, 0, 0), (joined, 2, 0, 3, 1), (windowed, 2, 0, 2, 0), (patches, 2, 0, 3, 0)],
)  # fmt: skip
def test_what_it_is_made_of(
    function: Callable[..., torch.Tensor], adds: int, depthwise: int, stored: int, joins: int
) -> None:
    stream = residual_stream(rewritten(Net(function), IMAGE))
    deep = [node for node in stream if kind(node) == "conv2d" and node.args[-1] == WIDTH]
    kinds = [kind(node) for node in stream]
    assert kinds.count("add") == adds and kinds.count("cat") == joins
    assert len(deep) == depthwise and kinds.count("conv2d") - len(deep) == stored


def outputs_of_kind(values: list[Value], dtype: str) -> int:
    return sum(value.dtype == dtype for value in values)


def test_it_runs_in_16_bits_and_products_read_8() -> None:
    program = rewritten(Net(hybrid), IMAGE)
    observation = observe(program, generated(program), QuantOptions(), ["int8", "int16"])
    narrow, wide = observation.quantized("int8"), observation.quantized("int16")
    assert not any(value.dtype == "int16" for value in narrow.graph.values())
    for op in wide.graph.ops:
        if op.kind == "depthwise":
            assert op.source.dtype == op.output.dtype == "int16"
        if op.kind in {"linear", "conv2d"}:
            assert op.source.dtype == "int8"
        if op.kind == "add_wide":
            assert [value.dtype for value in op.inputs] == ["int16", "int16"]
    runs = generated(program, seed=9, count=6).inputs
    expected = [program.run(x) for x in runs]
    ratios = [snr(expected, [one.run(x) for x in runs]) for one in (narrow, wide)]
    assert ratios[1] > ratios[0] + 3
    assert snr(expected, [quantize(program, generated(program)).run(x) for x in runs]) == ratios[0]


def test_tokens_far_larger_than_the_others_keep_them() -> None:
    """8 bits of one grid have few steps for what is no outlier; here the output has 8 all the same."""
    program = rewritten(Net(joined), IMAGE)
    observation = observe(program, generated(program), QuantOptions(), ["int8", "int16"])
    runs = generated(program, seed=9, count=6).inputs

    def ratio(residual: str) -> float:
        quantized = observation.quantized(residual)
        return snr(
            [(program.run(x)[0][:, :, :8],) for x in runs],
            [(quantized.run(x)[0][:, :, :8],) for x in runs],
        )

    assert ratio("int16") > ratio("int8") + 3


def test_an_image_of_16_bits_is_put_on_another_grid() -> None:
    """A join of values of 16 bits that have scales of their own."""
    from edgevit.integer.lowering.builder import QuantTensor
    from edgevit.integer.lowering.context import Context
    from edgevit.integer.lowering.layout import TensorLayout

    context = Context.__new__(Context)
    from edgevit.integer.lowering.builder import Builder

    context.builder, context._rescaled = Builder(), {}
    value = context.builder.input("x", (4, 3), Grid(0.001, 0, "int16"))
    tensor = QuantTensor(value, TensorLayout.plain((4, 3)))
    moved = context.requantized(tensor, Grid(0.004, 0, "int16"))
    graph = context.builder.graph("net", [moved.value])
    (op,) = graph.ops
    x = torch.randint(-(2**15), 2**15, (4, 3)).numpy().astype("int16")
    assert abs(op.run(x, x) * 0.004 - x * 0.001).max() <= 0.002 + 1e-9


def test_judges_are_no_inputs_that_choose() -> None:
    program = rewritten(Net(single), IMAGE)
    noise = generated(program)
    chosen, judges = split_judges(program, noise, CalibrationOptions(), ImageInput())
    assert chosen is noise and len(judges) == 16
    assert not any(torch.equal(x[0], y[0]) for x in judges for y in noise.inputs)
    for count, held in ((96, 16), (32, 8), (16, 8), (5, 2), (1, 1)):
        runs = tuple((torch.full((1,), float(index)),) for index in range(count))
        names = tuple(str(index) for index in range(count))
        calibration = Calibration(runs, "folder", names)
        for options in (CalibrationOptions("folder"), CalibrationBatches(batches=runs)):
            chosen, judges = split_judges(program, calibration, options, ImageInput())
            assert len(judges) == held
            assert {int(name) for name in chosen.names} == {int(x[0]) for x in chosen.inputs}
            if count > 1:
                assert len(chosen.inputs) == count - held
                assert not {int(x[0]) for x in judges} & {int(x[0]) for x in chosen.inputs}
