"""Heads in C, Swift and Kotlin, written from the loops of one description: `head/head.c`, `head.h`, `Head.swift`, `Head.kt`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edgevit.graph.program import Program
from edgevit.snippets.head_loops import (
    HeadArray,
    HeadStep,
    HeadValue,
    HeadWriter,
    NoLoopsError,
    Steps,
    kind_of,
)
from edgevit.snippets.head_rules import RULES

FILES = ("head.c", "head.h", "Head.swift", "Head.kt")
_BINARY = "head.bin"
_C_TYPES = {"f": "float", "i": "int64_t", "b": "bool", "n": "long", "d": "double"}
_SWIFT_TYPES = {"f": "Float", "i": "Int64", "b": "Bool", "n": "Int", "d": "Double"}
_KOTLIN_TYPES = {"f": "Float", "i": "Long", "b": "Boolean", "n": "Int", "d": "Double"}
_KOTLIN_NAMES = {"log": "ln", "trunc": "truncate"}
_ABOUT = (
    "Head of `{name}`: from what the artifact gives to what the model gives. Arrays are row by row."
)

# Merge sort, whose equal keys stay in order; in all three languages the conditions are the same text.
_SORT = """\
{signature} {{
    {n0}
    while {o}place < count{c} {{ order[place] = {place}{e} place += 1{e} }}
    {n1}
    while {o}width < count{c} {{
        {n2}
        while {o}start < count{c} {{
            {n3}
            if {o}middle > count{c} {{ middle = count{e} }}
            {n4}
            if {o}end > count{c} {{ end = count{e} }}
            {n5}
            {n6}
            {n7}
            while {o}to < end{c} {{
                if {o}left >= middle || (right < end && keys[{right}] < keys[{left}]){c} {{
                    spare[to] = order[right]{e} right += 1{e}
                }} else {{
                    spare[to] = order[left]{e} left += 1{e}
                }}
                to += 1{e}
            }}
            start = end{e}
        }}
        place = 0{e}
        while {o}place < count{c} {{ order[place] = spare[place]{e} place += 1{e} }}
        width = width * 2{e}
    }}
}}
"""
_LOCALS = (
    ("place", "0"), ("width", "1"), ("start", "0"), ("middle", "start + width"), ("end", "start + 2 * width"),
    ("left", "start"), ("right", "middle"), ("to", "start"),
)  # fmt: skip
_C_MAIN = """
#ifdef HEAD_MAIN  /* reads the artifact's outputs from standard input, writes the model's */
#include <stdio.h>
int main(void) {{
{arrays}
    if ({reads}) return 1;
    head({arguments});
    return ({writes}) ? 1 : 0;
}}
#endif
"""


@dataclass(frozen=True)
class _Head:
    """A head as loops: arrays of inputs, of constants, of its own and of outputs."""

    name: str
    inputs: tuple[HeadArray, ...]
    constants: tuple[tuple[HeadArray, torch.Tensor], ...]
    scratch: tuple[HeadArray, ...]
    outputs: tuple[tuple[HeadArray, HeadArray], ...]  # what is computed, and where it goes
    steps: Steps

    @property
    def sorts(self) -> bool:
        return any(_has_order(step) for step in self.steps)


def write_languages(file: Path, head: Program) -> str:
    """Write the head beside its file in Python, or return the operator that has no loops."""
    try:
        description = _described(head)
    except NoLoopsError as error:
        return str(error)
    folder = file.parent
    texts = (_c(description), _c_header(description), _swift(description), _kotlin(description))
    for name, text in zip(FILES, texts, strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    if description.constants:
        values = [x.double().reshape(-1).numpy() for _, x in description.constants]
        (folder / _BINARY).write_bytes(np.concatenate(values).astype("<f8").tobytes())
    return ""


def _described(head: Program) -> _Head:
    writer = HeadWriter(RULES)
    inputs, constants = [], []
    for node in head.graph.nodes:
        if node.op == "placeholder":
            inputs.append(HeadArray(f"in_{node.name}", kind_of(node.meta["val"]), tuple(node.meta["val"].shape)))  # fmt: skip
            writer.values[node] = inputs[-1]
        elif node.op == "get_attr":
            tensor = head.constants[str(node.target)]
            array = HeadArray(f"c_{node.name}", kind_of(tensor), tuple(tensor.shape))
            constants.append((array, tensor))
            writer.values[node] = array
        elif node.op == "call_function":
            writer.add(node)
    outputs = []
    for name, node in zip(head.output_names, head.outputs(), strict=True):
        source = writer.array(node)
        outputs.append((source, HeadArray(f"out_{name}", source.kind, source.shape)))
    name = head.name.removesuffix("-head")
    return _Head(name, tuple(inputs), tuple(constants), tuple(writer.arrays.values()), tuple(outputs), writer.steps)  # fmt: skip


def _has_order(step: HeadStep) -> bool:
    return step.form == "order" or (
        step.form in ("loop", "block") and any(map(_has_order, step.parts[-1]))
    )


class _Language:
    """C; the others say what is different."""

    types = _C_TYPES
    end = ";"
    block = ""
    open, close = "(", ")"

    def value(self, value: HeadValue) -> str:
        parts = value.parts
        match value.form:
            case "number":
                return self.number(parts[0], value.kind)
            case "local":
                return parts[0]
            case "load":
                return f"{parts[0]}[{parts[1]}]"
            case "binary":
                return f"({self.value(parts[1])} {parts[0]} {self.value(parts[2])})"
            case "call":
                return self.call(parts[0], [self.value(x) for x in parts[1:]], value.kind)
            case "select":
                return self.select(*map(self.value, parts))
            case "cast":
                return self.cast(self.value(parts[0]), value.kind)
            case _:
                return f"!{self.value(parts[0])}"

    def number(self, value: float, kind: str) -> str:
        if kind == "b":
            return "true" if value else "false"
        if kind in "in":
            return str(int(value)) if value >= 0 else f"({int(value)})"
        if not math.isfinite(value):
            return "NAN" if value != value else "INFINITY" if value > 0 else "(-INFINITY)"
        text = repr(float(np.float32(value)) if kind == "f" else float(value))
        text += "f" if kind == "f" else ""
        return text if value >= 0 else f"({text})"

    def call(self, name: str, values: list[str], kind: str) -> str:
        name = "rint" if name == "round" else name
        return f"{name}{'f' if kind == 'f' else ''}({', '.join(values)})"

    def select(self, condition: str, one: str, other: str) -> str:
        return f"({condition} ? {one} : {other})"

    def cast(self, value: str, kind: str) -> str:
        return f"({self.types[kind]})({value})"

    def let(self, name: str, kind: str, value: str) -> str:
        return f"{self.types[kind]} {name} = {value};"

    def loop(self, place: str, count: int) -> str:
        return f"for (long {place} = 0; {place} < {count}; ++{place})"

    def order(self, keys: str, order: str, spare: str, count: int) -> str:
        return f"sort_places({keys}, {order}, {spare}, {count}){self.end}"

    def lines(self, steps: Sequence[HeadStep], depth: int) -> list[str]:
        lines, indent = [], "    " * depth
        for step in steps:
            parts = step.parts
            match step.form:
                case "loop":
                    lines += [f"{indent}{self.loop(parts[0], parts[1])} {{", *self.lines(parts[2], depth + 1), f"{indent}}}"]  # fmt: skip
                case "block":
                    lines += [f"{indent}{self.block}{{", *self.lines(parts[0], depth + 1), f"{indent}}}"]  # fmt: skip
                case "if":
                    lines += [f"{indent}if ({self.value(parts[0])}) {{", *self.lines(parts[1], depth + 1), f"{indent}}}"]  # fmt: skip
                case "store":
                    lines.append(f"{indent}{parts[0]}[{parts[1]}] = {self.value(parts[2])}{self.end}")  # fmt: skip
                case "let":
                    lines.append(f"{indent}{self.let(parts[0], parts[1].kind, self.value(parts[1]))}")  # fmt: skip
                case "set":
                    lines.append(f"{indent}{parts[0]} = {self.value(parts[1])}{self.end}")
                case _:
                    lines.append(f"{indent}{self.order(*parts)}")
        return lines

    def sort(self, signature: str) -> str:
        lets = {f"n{k}": self.let(name, "n", value) for k, (name, value) in enumerate(_LOCALS)}
        return _SORT.format(signature=signature, o=self.open, c=self.close, e=self.end, place="place", right="order[right]", left="order[left]", **lets)  # fmt: skip


class _Swift(_Language):
    types = _SWIFT_TYPES
    block = "do "

    def number(self, value: float, kind: str) -> str:
        if kind in "fd" and not math.isfinite(value):
            name = "nan" if value != value else "infinity"
            return f"{'-' if value < 0 else ''}{self.types[kind]}.{name}"
        text = super().number(value, kind)
        if kind == "f":
            return f"Float({text.strip('()').removesuffix('f')})"
        return f"Int64({text})" if kind == "i" else text

    def call(self, name: str, values: list[str], kind: str) -> str:
        if name == "round":
            return f"({values[0]}).rounded(.toNearestOrEven)"
        return f"{name}({', '.join(values)})"

    def cast(self, value: str, kind: str) -> str:
        return f"{self.types[kind]}({value})"

    def let(self, name: str, kind: str, value: str) -> str:
        return f"var {name}: {self.types[kind]} = {value};"

    def loop(self, place: str, count: int) -> str:
        return f"for {place} in 0..<{count}"

    def order(self, keys: str, order: str, spare: str, count: int) -> str:
        return f"sortPlaces({keys}, &{order}, &{spare}, {count})"


class _Kotlin(_Language):
    types = _KOTLIN_TYPES
    block = "run "

    def number(self, value: float, kind: str) -> str:
        if kind in "fd" and not math.isfinite(value):
            name = "NaN" if value != value else "POSITIVE_INFINITY" if value > 0 else "NEGATIVE_INFINITY"  # fmt: skip
            return f"{self.types[kind]}.{name}"
        text = super().number(value, kind)
        return f"({text.strip('()')}L)" if kind == "i" else text

    def call(self, name: str, values: list[str], kind: str) -> str:
        if name == "pow":
            return f"{values[0]}.pow({values[1]})"
        return f"{_KOTLIN_NAMES.get(name, name)}({', '.join(values)})"

    def select(self, condition: str, one: str, other: str) -> str:
        return f"(if ({condition}) {one} else {other})"

    def cast(self, value: str, kind: str) -> str:
        return f"({value}).to{self.types[kind]}()"

    def let(self, name: str, kind: str, value: str) -> str:
        return f"var {name}: {self.types[kind]} = {value};"

    def loop(self, place: str, count: int) -> str:
        return f"for ({place} in 0 until {count})"

    def order(self, keys: str, order: str, spare: str, count: int) -> str:
        return f"sortPlaces({keys}, {order}, {spare}, {count})"


def _parameters(head: _Head) -> str:
    ports = [f"const {_C_TYPES[x.kind]} *{x.name}" for x in head.inputs]
    return ", ".join([*ports, *(f"{_C_TYPES[x.kind]} *{x.name}" for _, x in head.outputs)])


def _c_header(head: _Head) -> str:
    shapes = "\n".join(f" * {x.name}: {'x'.join(map(str, x.shape)) or 'one value'}" for x in (*head.inputs, *(x for _, x in head.outputs)))  # fmt: skip
    return f"""\
/* {_ABOUT.format(name=head.name)}
{shapes}
 * Its own arrays are static: one call at a time. */
#ifndef HEAD_H
#define HEAD_H
#include <stdbool.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {{
#endif
void head({_parameters(head)});
#ifdef __cplusplus
}}
#endif
#endif
"""


def _c(head: _Head) -> str:
    c = _Language()
    own = [f"static {_C_TYPES[x.kind]} {x.name}[{max(x.size, 1)}];" for x in head.scratch]
    numbers = [_c_numbers(c, array, tensor) for array, tensor in head.constants]
    sort = c.sort("static void sort_places(const double *keys, long *order, long *spare, long count)")  # fmt: skip
    copies = [f"    for (long k = 0; k < {out.size}; ++k) {{ {out.name}[k] = {x.name}[k]; }}" for x, out in head.outputs]  # fmt: skip
    ports = [*head.inputs, *(out for _, out in head.outputs)]
    main = _C_MAIN.format(
        arrays="\n".join(f"    static {_C_TYPES[x.kind]} {x.name}[{max(x.size, 1)}];" for x in ports),
        reads=" || ".join(f"fread({x.name}, sizeof *{x.name}, {x.size}, stdin) != {x.size}" for x in head.inputs),
        arguments=", ".join(x.name for x in ports),
        writes=" || ".join(f"fwrite({x.name}, sizeof *{x.name}, {x.size}, stdout) != {x.size}" for _, x in head.outputs),
    )  # fmt: skip
    return "\n".join([
        f"/* {_ABOUT.format(name=head.name)} C99 and C++11. */",
        '#include "head.h"', "#include <math.h>", "", *own, *numbers, "", *([sort] if head.sorts else []),
        f"void head({_parameters(head)}) {{", *c.lines(head.steps, 1), *copies, "}", main,
    ])  # fmt: skip


def _c_numbers(c: _Language, array: HeadArray, tensor: torch.Tensor) -> str:
    values = ", ".join(c.number(x, array.kind) for x in tensor.reshape(-1).tolist()) or "0"
    return f"static const {_C_TYPES[array.kind]} {array.name}[{max(array.size, 1)}] = {{{values}}};"


def _swift(head: _Head) -> str:
    swift = _Swift()
    sort = swift.sort("private func sortPlaces(_ keys: [Double], _ order: inout [Int], _ spare: inout [Int], _ count: Int)")  # fmt: skip
    ports = [f"_ {x.name}: [{swift.types[x.kind]}]" for x in head.inputs]
    numbers, start = [], 0
    for array, _ in head.constants:
        read = {"f": "Float($0)", "i": "Int64($0)", "b": "$0 != 0"}[array.kind]
        numbers.append(f"    let {array.name} = numbers[{start}..<{start + array.size}].map {{ {read} }}")  # fmt: skip
        start += array.size
    zero = {"f": "0", "i": "0", "d": "0", "n": "0", "b": "false"}
    own = [f"    var {x.name} = [{swift.types[x.kind]}](repeating: {zero[x.kind]}, count: {x.size})" for x in head.scratch]  # fmt: skip
    fields = [f"    public let {out.name}: [{swift.types[out.kind]}]" for _, out in head.outputs]
    results = ", ".join(f"{out.name}: {x.name}" for x, out in head.outputs)
    ports += ["numbers: [Double]"] if head.constants else []
    note = [f"// `numbers` are the little-endian doubles of {_BINARY}."] if head.constants else []
    return "\n".join([
        f"// {_ABOUT.format(name=head.name)}", *note, "import Foundation", "",
        *([sort] if head.sorts else []),
        "public struct HeadOutputs {", *fields, "}", "",
        f"public func head({', '.join(ports)}) -> HeadOutputs {{", *numbers, *own,
        *swift.lines(head.steps, 1), f"    return HeadOutputs({results})", "}", "",
    ])  # fmt: skip


def _kotlin(head: _Head) -> str:
    kotlin = _Kotlin()
    sort = kotlin.sort("private fun sortPlaces(keys: DoubleArray, order: IntArray, spare: IntArray, count: Int)")  # fmt: skip
    ports = [f"{x.name}: {kotlin.types[x.kind]}Array" for x in head.inputs]
    numbers, start = [], 0
    for array, _ in head.constants:
        read = {"f": "numbers[START + it].toFloat()", "i": "numbers[START + it].toLong()", "b": "numbers[START + it] != 0.0"}[array.kind].replace("START", str(start))  # fmt: skip
        numbers.append(f"    val {array.name} = {kotlin.types[array.kind]}Array({array.size}) {{ {read} }}")  # fmt: skip
        start += array.size
    own = [f"    val {x.name} = {kotlin.types[x.kind]}Array({x.size})" for x in head.scratch]
    fields = ", ".join(f"val {out.name}: {kotlin.types[out.kind]}Array" for _, out in head.outputs)
    results = ", ".join(x.name for x, _ in head.outputs)
    ports += ["numbers: DoubleArray"] if head.constants else []
    note = [f"// `numbers` are the little-endian doubles of {_BINARY}."] if head.constants else []
    return "\n".join([
        f"// {_ABOUT.format(name=head.name)}", *note, "import kotlin.math.*", "",
        *([sort] if head.sorts else []),
        f"class HeadOutputs({fields})", "",
        f"fun head({', '.join(ports)}): HeadOutputs {{", *numbers, *own,
        *kotlin.lines(head.steps, 1), f"    return HeadOutputs({results})", "}", "",
    ])  # fmt: skip
