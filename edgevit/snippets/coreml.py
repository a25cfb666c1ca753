"""`Call.swift`: calling code for a Core ML package, by its feature names."""

from __future__ import annotations

from edgevit.backends import Facts, PortFacts, count, numbers
from edgevit.support.quoting import swift_string

SWIFT = {"float32": "Float", "int32": "Int32"}


def marks(facts: Facts) -> dict[str, str]:
    return {
        "BODY": _picture(facts) if facts.is_picture else _arrays(facts),
        "PREPARE": prepare(facts),
    }


def _arrays(facts: Facts) -> str:
    kinds = [SWIFT[port.dtype] for port in facts.inputs]
    parameters = ", ".join(f"_ input{k}: [{kind}]" for k, kind in enumerate(kinds))
    rows = [
        "    /// Each input whole, in row-major order; the outputs in their order.",
        f"    public func callAsFunction({parameters}) throws -> {_result(facts)} {{",
    ]
    for k, port in enumerate(facts.inputs):
        text = f"input {k} has \\(input{k}.count) values, not {count(port)}"
        rows.append(f'        precondition(input{k}.count == {count(port)}, "{text}")')
    features = [
        f"{swift_string(port.name)}: MLMultiArray(MLShapedArray<{kind}>(scalars: input{k}, shape: [{_sizes(port)}]))"
        for k, (kind, port) in enumerate(zip(kinds, facts.inputs, strict=True))
    ]
    return "\n".join([*rows, *_ask(features, facts)])


def _picture(facts: Facts) -> str:
    (image,) = facts.inputs
    height, width = image.shape[-2:]
    rows = [
        f"    /// A picture of {width}x{height}, kCVPixelFormatType_32BGRA; it is normalised inside the model.",
        f"    public func callAsFunction(_ picture: CVPixelBuffer) throws -> {_result(facts)} {{",
    ]
    feature = f"{swift_string(image.name)}: MLFeatureValue(pixelBuffer: picture)"
    return "\n".join([*rows, *_ask([feature], facts)])


def _ask(features: list[str], facts: Facts) -> list[str]:
    results = [
        f"MLShapedArray<{SWIFT[port.dtype]}>(found.featureValue(for: {swift_string(port.name)})!.multiArrayValue!).scalars"
        for port in facts.outputs
    ]
    one = len(results) == 1
    return [
        "        let inputs = try MLDictionaryFeatureProvider(dictionary: [",
        *(f"            {feature}," for feature in features),
        "        ])",
        "        let found = try model.prediction(from: inputs)",
        *(["        return " + results[0]] if one else ["        return (", *_listed(results), "        )"]),
        "    }",
    ]  # fmt: skip


def _listed(results: list[str]) -> list[str]:
    last = len(results) - 1
    return [f"            {text}{',' * (k != last)}" for k, text in enumerate(results)]


def _result(facts: Facts) -> str:
    kinds = [f"[{SWIFT[port.dtype]}]" for port in facts.outputs]
    return kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"


def _sizes(port: PortFacts) -> str:
    return ", ".join(map(str, port.shape))


def prepare(facts: Facts) -> str:
    how = facts.prepare
    if how is None or facts.is_picture:
        return ""
    pixels = how.height * how.width
    place = "3 * at + c" if how.channels_last else f"c * {pixels} + at"
    source = ", ".join(map(str, how.source))
    return f"""
    /// {how.height}x{how.width} pixels of 0-255, RGB -> the input.
    public static func prepare(_ rgb: [UInt8]) -> [Float] {{
        let scale: [Float] = [{numbers(how.scale)}], offset: [Float] = [{numbers(how.offset)}]
        let source = [{source}]
        var values = [Float](repeating: 0, count: {3 * pixels})
        for at in 0..<{pixels} {{
            for c in 0..<3 {{
                values[{place}] = Float(rgb[3 * at + source[c]]) * scale[c] + offset[c]
            }}
        }}
        return values
    }}
"""
