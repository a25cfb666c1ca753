"""Integers in a TFLite file: which ops compute in them, and what its weights take."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from edgevit import export
from edgevit.backends.tflite.flatbuffer import read_model, schema
from edgevit.quantize import CalibrationOptions


def exported(precision: str, folder: Path) -> Any:
    return export(
        "zoo:vit-i32-p8-d32-h2-l2",
        target="linux-x86",
        format="tflite",
        precision=precision,
        calibration=CalibrationOptions("generated"),
        output=folder / precision,
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


@pytest.mark.parametrize(("precision", "read"), [("int8", "INT8"), ("auto", "FLOAT32")])
def test_weights_take_a_byte_and_products_read(precision: str, read: str, tmp_path: Path) -> None:
    result = exported(precision, tmp_path)
    assert result.passed
    assert set(types_read(result.artifact, "FULLY_CONNECTED")) == {(read, "INT8")}
    assert set(types_read(result.artifact, "CONV_2D")) == {("INT8", "INT8")}
    sizes = result.manifest["quantization"]["weight_bytes"]
    assert sizes["missing"] == 0
    assert sizes["bytes_per_weight"] == pytest.approx(1, abs=0.03)


def test_no_op_of_ours_is_in_the_file(tmp_path: Path) -> None:
    result = exported("int8", tmp_path)
    model = read_model(result.artifact)
    floor = schema().BuiltinOperator.FLOOR
    used = {op.opcodeIndex for graph in model.subgraphs for op in graph.operators}
    assert floor not in {model.operatorCodes[place].builtinCode for place in used}
