"""`Call.swift`: calling code for a Core AI asset, by the names of its inputs and outputs."""

from __future__ import annotations

from edgevit.backends import Facts, count
from edgevit.snippets.coreml import prepare
from edgevit.support.quoting import swift_string

SWIFT = {
    "float32": "Float", "int32": "Int32", "int16": "Int16", "int8": "Int8", "uint8": "UInt8",
}  # fmt: skip


def marks(facts: Facts) -> dict[str, str]:
    return {"BODY": "\n".join(_call(facts)), "PREPARE": prepare(facts)}


def _call(facts: Facts) -> list[str]:
    kinds = [SWIFT[port.dtype] for port in facts.inputs]
    parameters = ", ".join(f"_ input{k}: [{kind}]" for k, kind in enumerate(kinds))
    counts = [
        f"        precondition(input{k}.count == {count(port)}, "
        f'"input {k} has \\(input{k}.count) values, not {count(port)}")'
        for k, port in enumerate(facts.inputs)
    ]
    inputs = [
        f"            {swift_string(port.name)}: NDArray(scalars: input{k}, shape: {list(port.shape)}),"
        for k, port in enumerate(facts.inputs)
    ]
    return [
        "    /// Each input whole, in row-major order; the outputs in their order.",
        f"    public func callAsFunction({parameters}) async throws -> {_result(facts)} {{",
        *counts,
        "        var outputs = try await function.run(inputs: [",
        *inputs,
        "        ])",
        *_returned(facts),
        "    }",
    ]


def _returned(facts: Facts) -> list[str]:
    results = [
        f"try Self.values(outputs.remove({swift_string(port.name)})?.ndArray, as: {SWIFT[port.dtype]}.self)"
        for port in facts.outputs
    ]
    if len(results) == 1:
        return ["        return " + results[0]]
    return ["        return (", ",\n".join(f"            {text}" for text in results), "        )"]


def _result(facts: Facts) -> str:
    kinds = [f"[{SWIFT[port.dtype]}]" for port in facts.outputs]
    return kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"
