"""Integers in a TFLite file: which ops compute in them, and what its weights take."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from torch import nn

from edgevit import export
from edgevit.backends.executorch.scheme import SCHEMES as EXECUTORCH_SCHEMES
from edgevit.backends.tflite.flatbuffer import read_model, schema
from edgevit.backends.tflite.lower import lower
from edgevit.backends.tflite.rules import RULES
from edgevit.backends.tflite.scheme import SCHEMES
from edgevit.backends.tflite.session import open_session
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.quantize import CalibrationOptions, QuantScheme
from edgevit.quantize.calibration import generated
from edgevit.quantize.placement import place
from edgevit.quantize.run import quantize_program
from edgevit.rewrites import engine


@functools.cache
def exported(precision: str) -> Any:
    """Export once in a test process."""
    return export(
        "zoo:vit-i32-p8-d32-h2-l1",
        target="linux-x86",
        format="tflite",
        precision=precision,
        calibration=CalibrationOptions("generated"),
        output=Path(mkdtemp(prefix="edgevit-test-")) / precision,
    )


def types_read(path: Path, op: str) -> Counter[tuple[str, str]]:
    """Count the types of what the op's first two inputs hold."""
    model, names = read_model(path), {v: k for k, v in vars(schema().TensorType).items()}
    code = getattr(schema().BuiltinOperator, op)
    return Counter(
        (names[graph.tensors[one.inputs[0]].type], names[graph.tensors[one.inputs[1]].type])
        for graph in model.subgraphs
        for one in graph.operators
        if model.operatorCodes[one.opcodeIndex].builtinCode == code
    )


@pytest.mark.parametrize(
    ("precision", "linear", "convolution", "size"),
    [
        ("int8", ("INT8", "INT8"), ("INT8", "INT8"), 1),
        pytest.param("auto", ("FLOAT32", "INT8"), ("INT8", "INT8"), 1, marks=pytest.mark.long),
        ("w4a8", ("INT8", "INT4"), ("INT8", "INT4"), 0.5),
        ("w8a16", ("INT16", "INT8"), ("INT16", "INT8"), 1),
    ],
)
def test_products_read_integers_of_the_precision(
    precision: str,
    linear: tuple[str, str],
    convolution: tuple[str, str],
    size: float,
) -> None:
    result = exported(precision)
    assert result.passed
    assert set(types_read(result.artifact, "FULLY_CONNECTED")) == {linear}
    assert set(types_read(result.artifact, "CONV_2D")) == {convolution}
    sizes = result.manifest["quantization"]["weight_bytes"]
    assert sizes["missing"] == 0
    assert sizes["bytes_per_weight"] == pytest.approx(size, rel=0.03)


def test_a_bias_beyond_32_bits_keeps_its_value(tmp_path: Path) -> None:
    """The steps of a sum are those of its input times those of its weight: here both are fine."""
    net = nn.Conv2d(3, 4, 1).eval().requires_grad_(False)
    net.weight.mul_(1e-4)
    net.bias.copy_(torch.tensor([9.0, -9.0, 1.0, 0.0]))  # type: ignore[union-attr]
    source = ModelSource("t:n", "net", net, (torch.rand(1, 3, 4, 4),), ("x",), "a test", "random")
    program, _ = engine.run(capture(source), RULES)
    made = quantize_program(program, generated(program, count=4), SCHEMES["w8a16"])
    artifact = lower(made.program, "w8a16", tmp_path)
    (run, *_) = made.held_out
    (written,) = open_session(artifact.path, 1).run([run.inputs[0].numpy()])
    assert (torch.from_numpy(written) - run.outputs[0]).abs().max() < 2e-3


def test_no_op_of_ours_is_in_the_file() -> None:
    result = exported("int8")
    model = read_model(result.artifact)
    floor = schema().BuiltinOperator.FLOOR
    used = {op.opcodeIndex for graph in model.subgraphs for op in graph.operators}
    assert floor not in {model.operatorCodes[place].builtinCode for place in used}


class _Residual(nn.Module):
    def __init__(self, pooled: int) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.pool, self.head = nn.AdaptiveAvgPool2d(pooled), nn.Linear(8 * pooled**2, 4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        image = self.stem(image).relu()
        return self.head(self.pool((self.body(image) + image).relu()).flatten(1))


@pytest.mark.parametrize("scheme", [SCHEMES["int8"], EXECUTORCH_SCHEMES["int8"]])
def test_a_net_that_ends_in_an_average_is_in_integers_to_its_end(scheme: QuantScheme) -> None:
    assert not _in_floats(_Residual(1), scheme)
    assert "adaptive_avg_pool2d" in _in_floats(_Residual(2), scheme)


def _in_floats(net: nn.Module, scheme: QuantScheme) -> list[str]:
    """Name the calls that compute in floats."""
    images = (torch.rand(1, 3, 8, 8),)
    program = capture(ModelSource("t:n", "net", net.eval(), images, ("x",), "a test", "random"))
    return [island.kind for island in place(program, scheme).islands]
