"""The quantise stage: what computes in integers, with which encodings, and how near it stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.fx.node import Node, map_arg

from edgevit import export
from edgevit.errors import CalibrationError, DelegationError, UsageError
from edgevit.frontend.resolve import resolve
from edgevit.graph.aten import kind
from edgevit.graph.program import Program, value
from edgevit.quantize.calibration import generated
from edgevit.quantize.observers import MinMax
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.placement import FLOAT, place
from edgevit.quantize.recording import record
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.weights import IntegerWeight
from tests.quantize.imported import rewritten

SCHEME = QuantScheme(between=frozenset({"add"}))
IMAGE = torch.rand(1, 3, 8, 8)


class Residual(nn.Module):
    """A sum between convolutions, and a sum before a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.third = nn.Conv2d(8, 8, 1)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).relu()
        x = x + self.second(x).relu()
        x = self.third(x)
        x = x + x.sigmoid()
        x = self.norm(x.flatten(2).transpose(1, 2))
        return self.head(x.mean(1))


def program() -> Program:
    torch.manual_seed(0)
    return rewritten(Residual(), IMAGE)


def quantized(scheme: QuantScheme = SCHEME) -> QuantizedProgram:
    whole = program()
    return quantize_program(whole, generated(whole, count=16), scheme)


def kinds(nodes: Iterable[Node]) -> list[str]:
    return [kind(node) for node in nodes]


def test_a_sum_beside_a_norm_stays_in_floats_and_one_between_convolutions_does_not() -> None:
    placement = place(program(), SCHEME)
    assert kinds(placement.calls) == ["conv2d", "conv2d", "add", "conv2d", "linear"]
    assert kinds(placement.stored) == ["relu", "relu", "add", "conv2d", "linear"]
    (island,) = [island for island in placement.islands if island.kind == "add"]
    assert island.why == "a call next to it computes in floats"


def test_calibration_keeps_what_the_program_gives() -> None:
    whole = program()
    runs = generated(whole, count=2).inputs
    outputs = record(whole, [], runs, MinMax).outputs
    for (recorded,), (expected,) in zip(outputs, map(whole.run, runs), strict=True):
        torch.testing.assert_close(recorded, expected)


def test_the_simulation_is_near_the_float_program() -> None:
    report = quantized().report
    assert report.held_out_snr > 30
    assert not report.halves_disagree
    assert min(value.snr for value in report.values) > 25


def test_sixteen_bits_are_nearer_than_eight_and_four_bit_weights_are_further() -> None:
    wide = quantized(replace(SCHEME, activations="int16")).report.held_out_snr
    narrow = quantized(replace(SCHEME, weight_bits=4)).report.held_out_snr
    assert narrow + 6 < quantized().report.held_out_snr < wide - 3


def test_every_reader_of_a_value_in_integers_reads_the_same_numbers() -> None:
    made = quantized().program
    for node in made.calls():
        if kind(node) == "relu":
            assert kinds(node.users) == ["quantize_per_tensor"]


def test_readers_have_a_dequantize_of_their_own_where_the_runtime_needs_it() -> None:
    made = quantized(replace(SCHEME, read_apart=True)).program
    for node in made.calls():
        if kind(node).startswith("dequantize_per_tensor"):
            assert len(node.users) == 1


def test_what_is_known_of_each_value_is_what_torch_says() -> None:
    def form(tensor: torch.Tensor) -> tuple[object, ...]:
        return tensor.shape, tensor.stride(), tensor.dtype

    simulation = quantized(replace(SCHEME, read_apart=True)).program
    with simulation.placeholders()[0].meta["val"].fake_mode:
        for node in simulation.calls():
            args, kwargs = map_arg((node.args, node.kwargs), value)
            assert form(value(node)) == form(node.target(*args, **kwargs)), node  # type: ignore[operator]
    for node in simulation.graph.nodes:
        if node.op == "get_attr":
            assert form(value(node)) == form(simulation.constants[str(node.target)])


def test_constants_of_sums_are_integers_where_a_chip_has_no_floats() -> None:
    class Places(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, padding=1)
            self.place = nn.Parameter(torch.randn(1, 8, 8, 8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x) + self.place

    whole = rewritten(Places(), IMAGE)
    scheme = QuantScheme(integer=SCHEME.integer | {"add"}, constants=True)
    for one, pairs in (
        (scheme, ["dequantize_per_tensor"] * 2),
        (replace(scheme, constants=False), ["dequantize_per_tensor"]),
    ):
        simulation = quantize_program(whole, generated(whole, count=8), one)
        (add,) = (node for node in simulation.program.calls() if kind(node) == "add")
        assert [kind(node) for node in add.all_input_nodes if node.op == "call_function"] == pairs
        assert simulation.report.held_out_snr > 30


def test_a_call_taken_out_by_name_is_an_island() -> None:
    whole = program()
    first = next(node for node in whole.calls() if kind(node) == "conv2d")
    placement = place(whole, SCHEME, {first.name: FLOAT})
    assert first not in placement.calls
    assert first.name in {island.call for island in placement.islands}


def test_a_call_in_floats_that_a_call_in_integers_reads_has_a_copy_in_integers() -> None:
    whole = program()
    total = next(node for node in whole.calls() if kind(node) == "add")
    apart = quantize_program(whole, generated(whole, count=16), SCHEME, {total.name: FLOAT})
    assert apart.encodings[total].dtype == "int8" and total not in apart.placement.calls


def test_weights_with_the_scale_of_their_channel_and_compensated_bias() -> None:
    made = quantized()
    for node, weight in made.weights.items():
        assert isinstance(weight, IntegerWeight)
        assert weight.integers.abs().max() <= 127
        error = weight.floats() - made.original.constants[str(node.args[1].target)]  # type: ignore[union-attr]
        assert error.abs().max() < 8 * weight.scales.max()  # compensated: not to the nearest


def test_fixed_ranges_need_pictures(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="needs pictures") as refusal:
        export("zoo:vit-i16-p4-d16-h1-l1", target="linux-x86", format="onnx", precision="int8")
    assert "--calibrate generated" in str(refusal.value.hint)


def test_the_file_is_as_near_as_its_simulation(tmp_path: Path) -> None:
    result = export(
        "zoo:vit-i32-p8-d32-h2-l2",
        target="linux-x86",
        format="onnx",
        precision="int8",
        calibration=CalibrationOptions("generated"),
        output=tmp_path / "out",
    )
    assert result.passed
    assert {"quantized", "runtime"} <= {parity.stage for parity in result.parity}
    assert result.manifest["quantization"]["calibration"]  # type: ignore[index]


def test_firmware_of_trained_weights_needs_pictures_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = resolve("zoo:vit-i16-p4-d16-h1-l1").module.state_dict()
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(CalibrationError, match="needs pictures"):
        export(
            "zoo:vit-i16-p4-d16-h1-l1",
            target="qemu-m7",
            weights=str(tmp_path / "w.safetensors"),
            output=tmp_path / "out",
        )


def test_all_in_integers_is_required_or_refused_by_line(tmp_path: Path) -> None:
    with pytest.raises(DelegationError, match="compute in floats") as refusal:
        export(
            "zoo:vit-i16-p4-d16-h1-l1",
            target="linux-x86",
            format="onnx",
            precision="int8",
            require_integer=True,
            calibration=CalibrationOptions("generated"),
            output=tmp_path / "out",
        )
    assert "layer_norm" in refusal.value.where and "vit.py:" in refusal.value.where
    with pytest.raises(UsageError, match="does not apply to onnx fp32"):
        export("zoo:vit-i16-p4-d16-h1-l1", target="linux-x86", format="onnx", require_integer=True)
