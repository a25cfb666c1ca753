"""C99 for an integer graph on a core: constants in flash, one function a step, one arena, calls of the kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit.backends.mcu.arena import ArenaPlan, plan_arena
from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.kernels.card import (
    Argument,
    Call,
    Card,
    First,
    Input,
    Scratch,
    whole,
)
from edgevit.backends.mcu.kernels.table import card_of
from edgevit.integer.graph import IntegerGraph, Op, Value
from edgevit.integer.ops.moves import Reshape

_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t"}  # fmt: skip
_PER_LINE = 32


@dataclass(frozen=True)
class Layer:
    """A step of the network, as C knows it."""

    op: Op
    function: str
    kernels: tuple[str, ...]


@dataclass(frozen=True)
class Emitted:
    header: str
    source: str
    kernels: tuple[str, ...]  # the files it needs, below kernels/
    layers: tuple[Layer, ...]
    plan: ArenaPlan


def emit(graph: IntegerGraph, core: Core, prefix: str = "ev_model", guard: int = 0) -> Emitted:
    """`prefix` begins every name that a linker sees; `guard` bytes are left free after every buffer."""
    cards = {op.name: card for op in graph.ops if (card := card_of(op, core))}
    plan = plan_arena(graph, lambda op: _scratch(op, cards), lambda op: _in_place(op, cards), guard)
    writer = _Writer(graph, plan, prefix)
    for constant in graph.constants:
        writer.constant(constant.value.name, constant.data)
    for op in graph.ops:
        if op.name in cards:
            writer.layer(op, cards[op.name])
    files = dict.fromkeys(source for card in cards.values() for source in card.sources)
    return Emitted(writer.header(), writer.source(), tuple(files), tuple(writer.layers), plan)


def _scratch(op: Op, cards: Mapping[str, Card]) -> int:
    return cards[op.name].scratch(op) if op.name in cards else 0


def _in_place(op: Op, cards: Mapping[str, Card]) -> bool:
    return op.name in cards and cards[op.name].in_place


class _Writer:
    def __init__(self, graph: IntegerGraph, plan: ArenaPlan, prefix: str) -> None:
        self._graph = graph
        self._plan = plan
        self._offsets, self._scratch = plan.offsets, plan.scratch
        self._prefix = prefix
        self._texts: dict[str, str] = {}  # what a constant holds -> its name
        self._lines: list[str] = []
        self._places = self._outside()
        self._families: set[str] = set()
        self.layers: list[Layer] = []

    def _outside(self) -> dict[str, str]:
        """C expressions of the values that are not in the arena."""
        places = {v.name: f"inputs[{i}]" for i, v in enumerate(self._graph.inputs)}
        for op in self._graph.ops:
            if isinstance(op, Reshape) and op.source.name in places:
                places[op.name] = places[op.source.name]
        return places

    def constant(self, name: str, data: np.ndarray) -> None:
        self._places[name] = self._array(data)
        for op in self._graph.ops:
            if isinstance(op, Reshape) and op.source.name in self._places:
                self._places[op.name] = self._places[op.source.name]

    def layer(self, op: Op, card: Card) -> None:
        steps = card.steps(op, whole(op))
        self._families.add(card.family)
        lines = [self._call(op, call, steps.repeat > 1) for call in steps.calls]
        if steps.repeat > 1:
            loop = f"for (uint32_t i = 0; i < {steps.repeat}; i++) {{"
            lines = [loop, *("    " + line for line in lines), "}"]
        function = f"{self._prefix}_layer_{len(self.layers)}"
        about = f"/* {op.name}: {op.kind} {op.settings()} -> {op.output} */".replace("  ", " ")
        body = "\n".join("    " + line for line in lines)
        self._lines.append(
            f"{about}\nvoid {function}(const void *const *inputs, uint8_t *arena);\n"
            f"EV_LAYER void {function}(const void *const *inputs, uint8_t *arena)\n"
            f"{{\n    (void)inputs;\n    (void)arena;\n{body}\n}}\n"
        )
        called = tuple(dict.fromkeys(call.function for call in steps.calls))
        self.layers.append(Layer(op, function, called))

    def _call(self, op: Op, call: Call, looped: bool) -> str:
        struct = self._struct(call)
        arguments = [self._argument(op, argument, looped) for argument in call.arguments]
        return f"{call.function}({', '.join([f'&{struct}', *arguments])});"

    def _argument(self, op: Op, argument: Argument, looped: bool) -> str:
        if isinstance(argument, int):
            return f"{argument}u"
        if isinstance(argument, First):
            return "0u"
        step = "" if isinstance(argument, Scratch) or not argument.step or not looped else f" + i * {argument.step}u"  # fmt: skip
        if isinstance(argument, Scratch):
            return f"arena + {self._scratch.get(op.name, 0) + argument.offset}u"
        value = op.inputs[argument.index] if isinstance(argument, Input) else op.output
        const = "const " if isinstance(argument, Input) else ""
        place = f"{self._place(value, const)} + {argument.offset}u{step}"
        return f"({const}void *)({place})"

    def _place(self, value: Value, const: str) -> str:
        if value.name in self._places:
            return f"({const}uint8_t *){self._places[value.name]}"
        return f"arena + {self._offsets[value.name]}u"

    def _struct(self, call: Call) -> str:
        return self._shared(f"const struct {call.struct}", "", _braced(call.fields, self._array), "p")  # fmt: skip

    def _array(self, data: np.ndarray) -> str:
        flat = np.ascontiguousarray(data).ravel()
        numbers = [str(int(x)) for x in flat]
        rows = [", ".join(numbers[i : i + _PER_LINE]) for i in range(0, len(numbers), _PER_LINE)]
        body = "{\n    " + ",\n    ".join(rows) + "}"
        ctype = f"const {_TYPES[flat.dtype.name]}"
        return self._shared(ctype, f"[{len(flat)}] __attribute__((aligned(16)))", body, "w")

    def _shared(self, ctype: str, size: str, body: str, letter: str) -> str:
        """What holds the same is there once."""
        key = f"{ctype}{size}{body}"
        if key not in self._texts:
            name = f"{letter}{len(self._texts)}"
            self._texts[key] = name
            self._lines.append(f"static {ctype} {name}{size} = {body};\n")
        return self._texts[key]

    def header(self) -> str:
        guard = f"{self._prefix.upper()}_H"
        sizes = [
            f"#define {self._prefix.upper()}_{kind}_{index}_BYTES {value.bytes}u /* {value} */"
            for kind, values in (("INPUT", self._graph.inputs), ("OUTPUT", self._graph.outputs))
            for index, value in enumerate(values)
        ]
        return (
            f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n"
            + "\n".join(sizes)
            + f"\n#define {self._prefix.upper()}_ARENA_BYTES {max(self._plan.size, 1)}u /* aligned to 16 */\n\n"
            f"/* Inputs and outputs in order; none may lie in the arena. */\n"
            f"void {self._prefix}_run(const void *const *inputs, void *const *outputs, uint8_t *arena);\n\n#endif\n"
        )

    def _includes(self) -> str:
        """The headers of the families that are used, the plain one always."""
        families = sorted(self._families - {"plain"})
        headers = ["ev_kernels.h", *(f"ev_kernels_{family}.h" for family in families)]
        return "".join(f'#include "{header}"\n' for header in headers)

    def source(self) -> str:
        calls = "".join(f"    {layer.function}(inputs, arena);\n" for layer in self.layers)
        outputs = "".join(
            f"    memcpy(outputs[{i}], {self._place(value, 'const ')}, {value.bytes}u);\n"
            for i, value in enumerate(self._graph.outputs)
        )
        return (
            f"/* {self._graph.name}, written by edgevit. */\n"
            f'#include "{self._prefix}.h"\n\n#include <string.h>\n\n'
            f"{self._includes()}\n"
            "#define EV_LAYER __attribute__((noinline))\n\n"
            + "\n".join(self._lines)
            + f"\nvoid {self._prefix}_run(const void *const *inputs, void *const *outputs, uint8_t *arena)\n"
            f"{{\n{calls}{outputs}}}\n"
        )


def _braced(fields: Mapping[str, Any], array: Any) -> str:
    return "{" + ", ".join(f".{name} = {_field(field, array)}" for name, field in fields.items()) + "}"  # fmt: skip


def _field(field: Any, array: Any) -> str:
    if isinstance(field, np.ndarray):
        return array(field)
    if isinstance(field, Mapping):
        return _braced(field, array)
    if isinstance(field, Sequence):
        return "{" + ", ".join(map(str, field)) + "}"
    suffix = "ull" if field >= 2**32 else "u" if field >= 2**31 else ""
    return f"{field}{suffix}"
