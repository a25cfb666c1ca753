"""`call.cpp`: calling code for Linux, for ONNX Runtime, ExecuTorch, LiteRT and TVM."""

from __future__ import annotations

from collections.abc import Callable

from edgevit.backends import BYTES, C_TYPES, Facts, PortFacts, count, numbers
from edgevit.support.quoting import c_string

Line = Callable[[int, PortFacts], str]


def onnx(facts: Facts) -> dict[str, str]:
    def tensor(index: int, port: PortFacts) -> str:
        kind = C_TYPES[port.dtype]
        return (
            f"        std::array<int64_t, {len(port.shape)}> shape_{index}{{{_sizes(port)}}};\n"
            f"        inputs.push_back(Ort::Value::CreateTensor<{kind}>(memory, input_{index}.data(), input_{index}.size(), "
            f"shape_{index}.data(), shape_{index}.size()));"
        )

    return {
        **_common(facts, "std::vector<{}> &"),
        "TENSORS": _each(facts, tensor),
        "NAMES_IN": ", ".join(c_string(port.name) for port in facts.inputs),
        "NAMES_OUT": ", ".join(c_string(port.name) for port in facts.outputs),
        "COUNT_OUT": str(len(facts.outputs)),
    }


def executorch(facts: Facts) -> dict[str, str]:
    def tensor(index: int, port: PortFacts) -> str:
        kind = {"float32": "Float", "float64": "Double", "int8": "Char", "int16": "Short", "int32": "Int",
                "int64": "Long", "uint8": "Byte"}[port.dtype]  # fmt: skip
        return (
            f"    auto tensor_{index} = from_blob(input_{index}.data(), {{{_sizes(port)}}}, "
            f"executorch::aten::ScalarType::{kind});"
        )

    names = ", ".join(f"tensor_{index}" for index in range(len(facts.inputs)))
    common = _common(facts, "std::vector<{}> &")
    return {**common, "TENSORS": _each(facts, tensor), "TENSOR_NAMES": names}


def tflite(facts: Facts) -> dict[str, str]:
    common = _common(facts, "const std::vector<{}> &")
    return {**common, "TENSORS": _each(facts, lambda index, _: f"        set({index}, input_{index});")}  # fmt: skip


def tvm(facts: Facts) -> dict[str, str]:
    def tensor(index: int, port: PortFacts) -> str:
        code = {"f": "kDLFloat", "i": "kDLInt", "u": "kDLUInt"}[port.dtype[0]]
        kind = f"DLDataType{{{code}, {BYTES[port.dtype] * 8}, 1}}"
        return f"copied(input_{index}, {{{_sizes(port)}}}, {kind})"

    tensors = ", ".join(tensor(index, port) for index, port in enumerate(facts.inputs))
    return {**_common(facts, "const std::vector<{}> &"), "TENSORS": tensors}


def _common(facts: Facts, parameter: str) -> dict[str, str]:
    types = [C_TYPES[port.dtype] for port in facts.inputs]
    drawn = [
        f"    std::vector<{kind}> input_{index}({count(port)}, {kind}(1)); // yours"
        for index, (kind, port) in enumerate(zip(types, facts.inputs, strict=True))
    ]
    return {
        "PARAMETERS": ", ".join(f"{parameter.format(kind)}input_{k}" for k, kind in enumerate(types)),
        "ARGUMENTS": ", ".join(f"input_{index}" for index in range(len(types))),
        "DRAWN": "\n".join(drawn),
        "FIRST_OUT": C_TYPES[facts.outputs[0].dtype] if facts.outputs else "float",
        "PREPARE": _prepare(facts),
    }  # fmt: skip


def _each(facts: Facts, line: Line) -> str:
    return "\n".join(line(index, port) for index, port in enumerate(facts.inputs))


def _sizes(port: PortFacts) -> str:
    return ", ".join(map(str, port.shape))


def _prepare(facts: Facts) -> str:
    how = facts.prepare
    if how is None:
        return ""
    kind, pixels = C_TYPES[facts.inputs[0].dtype], how.height * how.width
    place = "3 * at + c" if how.channels_last else f"c * {pixels} + at"
    source = ", ".join(map(str, how.source))
    return f"""
// {how.height}x{how.width} pixels of 0-255, RGB -> the input.
std::vector<{kind}> prepare(const uint8_t *rgb)
{{
    const float scale[] = {{{_floats(how.scale)}}}, offset[] = {{{_floats(how.offset)}}};
    const int source[] = {{{source}}};
    std::vector<{kind}> values({3 * pixels});
    for (int at = 0; at < {pixels}; at++)
        for (int c = 0; c < 3; c++)
            values[{place}] = {kind}(rgb[3 * at + source[c]] * scale[c] + offset[c]);
    return values;
}}
"""


def _floats(values: tuple[float, ...]) -> str:
    return ", ".join(f"{text}f" for text in numbers(values).split(", "))
