"""What goes in and out: names, types, and outputs that are also something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn

from edgevit.backends.coreml.check import load_package
from edgevit.backends.coreml.names import feature_names
from edgevit.backends.exported import exported_program
from edgevit.errors import UnsupportedOpError
from edgevit.frontend.capture import capture
from tests.backends.coreml.lowering import far, lowered, source_of

X = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
Tensors = dict[str, torch.Tensor] | tuple[torch.Tensor, ...]


class Call(nn.Module):
    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x: torch.Tensor) -> Tensors:
        return self.function(*x)  # type: ignore[operator]


def test_names_are_the_programs(tmp_path: Path) -> None:
    # `add` and `relu` are also the names of values inside the graph.
    net = Call(lambda a, b: {"relu": torch.relu(a) + b, "add": torch.sigmoid(a - b)})
    source = source_of(net, X, X + 1, input_names=("image", "mask"))
    program, artifact = lowered(source, tmp_path)
    package = load_package(artifact.path)
    assert [f.name for f in package.description.inputs] == ["image", "mask"]
    assert [f.name for f in package.description.outputs] == ["relu", "add"]
    assert far(program, artifact.path, "fp32").rel_l2 < 1e-6
    assert artifact.notes == ()


def test_names_that_core_ml_does_not_take(tmp_path: Path) -> None:
    net = Call(lambda a, b: {"1st.map": a + b, "pixel-values": a * b})
    source = source_of(net, X, X, input_names=("pixel-values", "x"))
    program, artifact = lowered(source, tmp_path)
    assert artifact.details["inputs"] == ["pixel_values", "x"]
    assert artifact.details["outputs"] == ["_1st_map", "pixel_values_1"]
    assert "`pixel-values` is called `pixel_values`" in artifact.notes
    assert far(program, artifact.path, "fp32").rel_l2 < 1e-6


def test_feature_names_differ() -> None:
    assert feature_names(("a.b", "a_b", "a-b")) == ("a_b", "a_b_1", "a_b_2")
    assert feature_names(("x", ""), taken=("x",)) == ("x_1", "_")


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_outputs_that_are_also_something_else(
    tmp_path: Path, precision: Literal["fp16", "fp32"]
) -> None:
    def twice(x: torch.Tensor) -> Tensors:
        y = torch.relu(x)
        return x, y, y, torch.ones(3), y.reshape(-1)

    program, artifact = lowered(source_of(Call(twice), X), tmp_path, precision)
    package = load_package(artifact.path)
    assert list(package.main.outputs) == [f"output_{k}" for k in range(5)]
    assert [f.name for f in package.description.inputs] == ["x"]
    assert far(program, artifact.path, precision).rel_l2 < 1e-3


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_integer_and_boolean_outputs(tmp_path: Path, precision: Literal["fp16", "fp32"]) -> None:
    net = Call(lambda x: (x.flatten(1).argmax(1), x > 0, x))
    program, artifact = lowered(source_of(net, X), tmp_path, precision)
    types = [f.type.dtype for f in load_package(artifact.path).description.outputs]
    assert types == ["int32", "fp32", "fp32"]
    assert far(program, artifact.path, precision).rel_l2 < 1e-3


def test_integer_inputs_travel_as_int32(tmp_path: Path) -> None:
    net = Call(lambda table, index: table.flatten()[index] * 2)
    program, artifact = lowered(source_of(net, X, torch.tensor([3, 1, 2])), tmp_path)
    assert [f.type.dtype for f in load_package(artifact.path).description.inputs] == [
        "fp32",
        "int32",
    ]
    assert artifact.notes == ("input `x1` is int32 in the package (int64 in the model)",)
    assert far(program, artifact.path, "fp32").rel_l2 < 1e-6


def test_bytes_that_are_converted_travel_as_int32(tmp_path: Path) -> None:
    picture = torch.randint(0, 256, (1, 6, 6, 3), dtype=torch.uint8)
    net = Call(lambda y: (y.permute(0, 3, 1, 2).float() / 255, (y.unbind(-1)[0] > 127).float()))
    program, artifact = lowered(source_of(net, picture), tmp_path)
    (taken,) = load_package(artifact.path).description.inputs
    assert taken.type.dtype == "int32"
    assert artifact.notes == ("input `x` is int32 in the package (uint8 in the model)",)
    assert far(program, artifact.path, "fp32").rel_l2 < 1e-6


@pytest.mark.parametrize("compute", [lambda y: y + 200, lambda y: y.view(torch.float32)])
def test_bytes_that_wrap_around_or_are_read_as_bits_are_refused(
    tmp_path: Path, compute: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    net = Call(lambda y: compute(y).float())
    with pytest.raises(UnsupportedOpError, match=r"no such input: `x` is .* u8"):
        lowered(source_of(net, torch.full((2, 4), 100, dtype=torch.uint8)), tmp_path)


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.int8, torch.uint8, torch.complex64, torch.bfloat16]
)
def test_types_that_core_ml_does_not_take(tmp_path: Path, dtype: torch.dtype) -> None:
    net = Call(lambda x, y: (x, y + y))
    with pytest.raises(UnsupportedOpError, match="no such input: `x1`") as caught:
        lowered(source_of(net, X, torch.ones(2, 2).to(dtype)), tmp_path)
    assert "float32" in caught.value.hint


def test_constants_are_shared_and_nothing_is_exported_again() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(6, 6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x @ self.weight) @ self.weight

    program = capture(source_of(Tied(), X))
    exported = exported_program(program)
    assert exported.dialect == "ATEN"
    assert list(exported.state_dict) == ["weight"]
    assert torch.equal(exported.module()(X)[0], program.run()[0])


def test_a_graph_that_is_not_functional_goes_through_torch() -> None:
    program = capture(source_of(nn.ReLU(), X.clone()))
    for node in program.calls():
        node.target = torch.ops.aten.relu_.default
    exported = exported_program(replace(program, inputs=(X.clone(),)))
    assert exported.dialect == "ATEN"
    assert any(node.target is torch.ops.aten.relu.default for node in exported.graph.nodes)
