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
from edgevit.frontend.capture import capture
from edgevit.graph.aten import kind
from edgevit.quantize.calibration import generated
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.recording import run_looking
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.rewrites import engine
from tests.backends.coreml.lowering import Hybrid, source_of

IMAGE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def quantized(folder: Path, precision: str) -> tuple[QuantizedProgram, MilPackage, MilPackage]:
    """Return the simulation, the package that ships, and the one at full precision."""
    torch.manual_seed(0)
    source = source_of(Hybrid().requires_grad_(False), IMAGE)
    program, _ = engine.run(capture(source), RULES)
    made = quantize_program(program, generated(program, count=16), SCHEMES[precision])
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
    assert len(exact) >= 5
    assert torch.cat([apart.flatten() for apart in exact]).count_nonzero() == 0
    near = torch.cat([(a - b).abs().flatten() for a, b in fed_apart(made, half, "fp16")])
    assert (near <= 1).float().mean() >= 0.99
    assert (near == 0).float().mean() >= 0.9


def test_what_stays_in_floats_is_fp16(tmp_path: Path) -> None:
    _, half, _ = quantized(tmp_path, "int8")
    types = {
        out.type.dtype for op in half.main.operations if op.kind != "cast" for out in op.outputs
    }
    assert types <= {"fp16", "int8"}


@pytest.mark.parametrize(("target", "noted"), [("iphone-14", True), ("iphone-15-pro", False)])
def test_the_file_is_held_to_its_simulation(tmp_path: Path, target: str, noted: bool) -> None:
    result = export(
        "zoo:vit-i16-p4-d16-h1-l1",
        target=target,
        format="coreml",
        precision="int8",
        calibration=CalibrationOptions("generated"),
        output=tmp_path / "out",
    )
    assert result.passed and result.manifest["precision"] == "int8"
    assert {"lowered", "package"} <= {parity.stage for parity in result.parity}
    assert any("bytes save memory" in note for note in result.manifest["notes"]) == noted  # type: ignore[union-attr]
