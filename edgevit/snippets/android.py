"""`Call.kt` and `Call.java`: ExecuTorch and LiteRT."""

from __future__ import annotations

from collections.abc import Callable

from edgevit.backends import BYTES, JVM_ARRAYS, Facts, PortFacts, count, numbers
from edgevit.support.quoting import kotlin_string

_KOTLIN = {kind: f"{kind.capitalize()}Array" for kind in JVM_ARRAYS.values()}
_PUTS = {"float32": "asFloatBuffer().put({})", "int32": "asIntBuffer().put({})", "int64": "asLongBuffer().put({})",
         "uint8": "put({})", "int8": "put({})"}  # fmt: skip


def executorch_kotlin(facts: Facts) -> dict[str, str]:
    def tensor(index: int, port: PortFacts) -> str:
        make = "fromBlobUnsigned" if port.dtype == "uint8" else "fromBlob"
        return f"EValue.from(Tensor.{make}(input{index}, longArrayOf({_sizes(port)})))"

    return {**_kotlin(facts), "TENSORS": _joined(facts, tensor)}


def executorch_java(facts: Facts) -> dict[str, str]:
    def tensor(index: int, port: PortFacts) -> str:
        make = "fromBlobUnsigned" if port.dtype == "uint8" else "fromBlob"
        return f"EValue.from(Tensor.{make}(input{index}, new long[] {{{_sizes(port)}}}))"

    return {**_java(facts), "TENSORS": _joined(facts, tensor)}


def onnx_kotlin(facts: Facts) -> dict[str, str]:
    def tensor(index: int, port: PortFacts) -> str:
        value = f"OnnxTensor.createTensor(environment, FloatBuffer.wrap(input{index}), longArrayOf({_sizes(port)}))"
        return f"{kotlin_string(port.name)} to {value}"

    return {**_kotlin(facts), "TENSORS": _joined(facts, tensor)}


def tflite_kotlin(facts: Facts) -> dict[str, str]:
    rows = [
        f"        val bytes{k} = buffer({_bytes(port)}).also {{ it.{_PUTS[port.dtype].format(f'input{k}')} }}"
        for k, port in enumerate(facts.inputs)
    ]
    return {**_kotlin(facts), **_buffers(facts, rows)}


def tflite_java(facts: Facts) -> dict[str, str]:
    rows = []
    for k, port in enumerate(facts.inputs):
        put = _PUTS[port.dtype].format(f"input{k}")
        rows += [f"        ByteBuffer bytes{k} = buffer({_bytes(port)});", f"        bytes{k}.{put};"]  # fmt: skip
    return {**_java(facts), **_buffers(facts, rows)}


def _buffers(facts: Facts, rows: list[str]) -> dict[str, str]:
    odd = {"uint8", "int8"}  # put at the buffer's own position, which then stands at the end
    java = rows and rows[0].lstrip().startswith("ByteBuffer")
    end = ";" if java else ""
    back = [f"        bytes{k}.rewind(){end}" for k, p in enumerate(facts.inputs) if p.dtype in odd]
    return {
        "TENSORS": "\n".join(rows + back),
        "TENSOR_NAMES": ", ".join(f"bytes{index}" for index in range(len(facts.inputs))),
        "OUTPUT_BYTES": ", ".join(str(_bytes(port)) for port in facts.outputs),
    }


def _kotlin(facts: Facts) -> dict[str, str]:
    kinds = [_KOTLIN[JVM_ARRAYS[port.dtype]] for port in facts.inputs]
    checks = [
        f'        require(input{k}.size == {count(port)}) {{ "input {k} has ${{input{k}.size}} values, not {count(port)}" }}'
        for k, port in enumerate(facts.inputs)
    ]
    return {
        "PARAMETERS": ", ".join(f"input{k}: {kind}" for k, kind in enumerate(kinds)),
        "CHECKS": "\n".join(checks),
        "PREPARE": _prepare_kotlin(facts),
    }


def _java(facts: Facts) -> dict[str, str]:
    checks = [
        f"        if (input{k}.length != {count(port)}) {{\n"
        f'            throw new IllegalArgumentException("input {k} has " + input{k}.length + " values, not {count(port)}");\n'
        "        }"
        for k, port in enumerate(facts.inputs)
    ]
    kinds = [JVM_ARRAYS[port.dtype] for port in facts.inputs]
    return {
        "PARAMETERS": ", ".join(f"{kind}[] input{k}" for k, kind in enumerate(kinds)),
        "CHECKS": "\n".join(checks),
        "PREPARE": _prepare_java(facts),
    }


def _joined(facts: Facts, tensor: Callable[[int, PortFacts], str]) -> str:
    return ", ".join(tensor(index, port) for index, port in enumerate(facts.inputs))


def _sizes(port: PortFacts) -> str:
    return ", ".join(map(str, port.shape))


def _bytes(port: PortFacts) -> int:
    return count(port) * BYTES[port.dtype]


def _prepare_kotlin(facts: Facts) -> str:
    how = facts.prepare
    if how is None or facts.inputs[0].dtype != "float32":
        return ""
    pixels = how.height * how.width
    place = "3 * at + c" if how.channels_last else f"c * {pixels} + at"
    return f"""
    /** {how.height}x{how.width} pixels as Bitmap.getPixels gives them -> the input. */
    fun prepare(pixels: IntArray): FloatArray {{
        val scale = floatArrayOf({_floats(how.scale)})
        val offset = floatArrayOf({_floats(how.offset)})
        val shift = intArrayOf({_shifts(how.source)})
        val values = FloatArray({3 * pixels})
        for (at in 0 until {pixels}) for (c in 0 until 3) {{
            values[{place}] = (pixels[at] shr shift[c] and 0xff) * scale[c] + offset[c]
        }}
        return values
    }}
"""


def _prepare_java(facts: Facts) -> str:
    how = facts.prepare
    if how is None or facts.inputs[0].dtype != "float32":
        return ""
    pixels = how.height * how.width
    place = "3 * at + c" if how.channels_last else f"c * {pixels} + at"
    return f"""
    /** {how.height}x{how.width} pixels as Bitmap.getPixels gives them -> the input. */
    public static float[] prepare(int[] pixels) {{
        float[] scale = {{{_floats(how.scale)}}};
        float[] offset = {{{_floats(how.offset)}}};
        int[] shift = {{{_shifts(how.source)}}};
        float[] values = new float[{3 * pixels}];
        for (int at = 0; at < {pixels}; at++) {{
            for (int c = 0; c < 3; c++) {{
                values[{place}] = (pixels[at] >> shift[c] & 0xff) * scale[c] + offset[c];
            }}
        }}
        return values;
    }}
"""


def _floats(values: tuple[float, ...]) -> str:
    return ", ".join(f"{text}f" for text in numbers(values).split(", "))


def _shifts(source: tuple[int, ...]) -> str:
    """Return the bit shifts of the source channels in a 0xAARRGGBB pixel."""
    return ", ".join(str(16 - 8 * channel) for channel in source)
