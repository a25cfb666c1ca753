"""Packages in integers: what the file computes from the simulation's values, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from edgevit import export
from edgevit.backends.coreml.check import MilPackage, load_package
from edgevit.backends.coreml.check.departure import named
from edgevit.backends.coreml.check.interpret import Precision, perform, received
from edgevit.backends.coreml.check.program import Value
from edgevit.backends.coreml.lower import lower
from edgevit.backends.coreml.rules import RULES
from edgevit.backends.coreml.scheme import SCHEMES
from edgevit.errors import TargetError
from edgevit.frontend.capture import capture
from edgevit.graph.aten import kind
from edgevit.quantize.calibration import generated
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.placement import place
from edgevit.quantize.recording import run_looking
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.rewrites import engine
from tests.backends.coreml.lowering import Hybrid, source_of
from tests.quantize.test_pairs import program

IMAGE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def quantized(folder: Path, precision: str) -> tuple[QuantizedProgram, MilPackage, MilPackage]:
    """Return the simulation, the package that ships, and the one at full precision."""
    torch.manual_seed(0)
    source = source_of(Hybrid().requires_grad_(False), IMAGE)
    whole, _ = engine.run(capture(source), RULES)
    made = quantize_program(whole, generated(whole, count=16), SCHEMES[precision])
    artifact = lower(
        made.program, source, minimum_os="iOS18", precision=precision, directory=folder
    )
    assert artifact.reference is not None
    return made, load_package(artifact.path), load_package(artifact.reference)


def fed_apart(
    made: QuantizedProgram, package: MilPackage, precision: Precision
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the integers of each `quantize` and the simulation's, computed from the simulation's."""
    (inputs, *_) = (one.inputs for one in made.held_out)
    simulated: dict[str, torch.Tensor] = {}
    run_looking(made.program, [inputs], lambda node, result: simulated.update({node.name: result}))
    integers_of = {
        node.name: simulated[node.args[0].name].int()  # type: ignore[union-attr]
        for node in made.program.calls()
        if kind(node) == "dequantize_per_tensor"
    }
    values: dict[str, Value] = dict(package.main.constants)
    (name,) = (declared.name for declared in package.main.inputs)
    values |= received(package, {name: inputs[0]}, precision)
    for op in package.main.operations:
        step = perform(op, values, package.main.opset, precision)
        assert step.unchecked is None
        values |= step.values
        for result, tensor in step.tensors():
            meant = named(result, simulated.get)
            if not isinstance(meant, torch.Tensor) or meant.shape != tensor.shape:
                continue
            if op.kind == "dequantize":
                (integers,) = (values[read.name] for read in op.arguments["input"])  # type: ignore[union-attr]
                yield integers.int(), named(result, integers_of.get)  # type: ignore[union-attr, misc]
            values[result] = meant


def test_integers_are_those_of_the_simulation(tmp_path: Path) -> None:
    made, half, whole = quantized(tmp_path, "int8")
    exact = [(a - b).abs() for a, b in fed_apart(made, whole, "fp32")]
    assert len(exact) >= 3
    assert torch.cat([apart.flatten() for apart in exact]).count_nonzero() == 0
    near = torch.cat([(a - b).abs().flatten() for a, b in fed_apart(made, half, "fp16")])
    assert (near <= 1).float().mean() >= 0.99
    assert (near == 0).float().mean() >= 0.9


def test_a_product_is_rounded_where_integers_read_it() -> None:
    placement = place(program(), SCHEMES["int8"])
    assert [kind(node) for node in placement.calls] == [
        "conv2d",
        "conv2d",
        "add",
        "conv2d",
        "linear",
    ]
    assert [kind(node) for node in placement.stored] == ["relu", "relu", "add"]


def test_what_stays_in_floats_is_fp16(tmp_path: Path) -> None:
    _, half, _ = quantized(tmp_path, "int8")
    types = {
        out.type.dtype for op in half.main.operations if op.kind != "cast" for out in op.outputs
    }
    assert types <= {"fp16", "int8"}


@pytest.mark.parametrize(("target", "noted"), [("iphone-14", True), ("iphone-15-pro", False)])
def test_the_file_is_held_to_its_simulation(tmp_path: Path, target: str, noted: bool) -> None:
    result = export(
        "zoo:vit-i32-p8-d24-h2-l1",
        target=target,
        format="coreml",
        precision="int8",
        calibration=CalibrationOptions("generated"),
        output=tmp_path / "out",
    )
    assert result.passed and result.manifest["precision"] == "int8"
    assert result.manifest["quantization"]["weight_bytes"]["bytes_per_weight"] == 1  # type: ignore[index]
    assert {"lowered", "package"} <= {parity.stage for parity in result.parity}
    assert any("bytes save memory" in note for note in result.manifest["notes"]) == noted  # type: ignore[union-attr]


@pytest.mark.parametrize("precision", ["w8", "w4", "palette6", "palette4"])
def test_weights_alone_are_those_of_the_simulation(tmp_path: Path, precision: str) -> None:
    made, half, _ = quantized(tmp_path, precision)
    assert "quantize" not in half.main.op_counts()
    written = [x for x in half.main.constants.values() if isinstance(x, torch.Tensor)]
    for weight in made.weights.values():
        near = weight.floats().flatten()
        assert any(
            x.numel() == near.numel() and torch.allclose(x.flatten(), near, rtol=2**-10)
            for x in written
        )


@pytest.mark.parametrize(
    ("precision", "target", "bits"),
    [("w8", "iphone-12", 8), ("palette6", "iphone-12", 6), ("w4", "iphone-16", 4)],
)
def test_a_weight_takes_as_many_bits_as_asked_for(
    tmp_path: Path, precision: str, target: str, bits: int
) -> None:
    result = export(
        "zoo:vit-i32-p8-d64-h2-l1", target=target, precision=precision, output=tmp_path / "out"
    )
    assert result.passed
    sizes = result.manifest["quantization"]["weight_bytes"]  # type: ignore[index]
    assert sizes["missing"] == 0
    assert sizes["bytes_per_weight"] == pytest.approx(bits / 8, rel=0.03)


def test_four_bits_are_refused_before_the_system_that_has_them(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="needs iOS 18") as refusal:
        export(
            "zoo:vit-i16-p4-d16-h1-l1", target="iphone-12", precision="w4", output=tmp_path / "o"
        )
    assert "palette4" in str(refusal.value.hint)
