"""C99 source of a plan.

It has constants in flash, a function for each operation of each loop, one arena, and calls of the
kernels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.backends.mcu.codegen.c_api import calls, debugging, fetching, header, tracing
from edgevit.backends.mcu.codegen.constants import Constants
from edgevit.backends.mcu.codegen.early_exit import EXIT_SOURCE, early_calls, exit_call
from edgevit.backends.mcu.kernels.card import (
    Argument,
    FirstRow,
    Input,
    KernelCall,
    RowCount,
    Scratch,
    Steps,
)
from edgevit.backends.mcu.schedule.access import WINDOWED, Same, Sliding, access, moves
from edgevit.backends.mcu.schedule.image_source import ArrivingRows
from edgevit.backends.mcu.schedule.plan import (
    Schedule,
    is_told_rows,
    ring_name,
    rings_of,
    scratch_name,
    tile_of,
)
from edgevit.backends.mcu.schedule.walk import LoopWalk, unit_bytes
from edgevit.integer import ExitCheck, Op, Value
from edgevit.support.quoting import comment

_SIGNATURE = "(const void *const *inputs, uint8_t *arena, uint32_t row)"
_SIGNATURE_OF_ROWS = "(const void *const *inputs, uint8_t *arena, uint32_t row, uint32_t rows)"


@dataclass(frozen=True)
class Layer:
    """Operation in the C source: a function per loop that runs it, and one per short last tile."""

    op: Op
    functions: tuple[str, ...]
    kernels: tuple[str, ...]


@dataclass(frozen=True)
class Emitted:
    header: str
    source: str
    kernels: tuple[str, ...]  # the files it needs, below kernels/
    layers: tuple[Layer, ...]
    plan: Schedule
    stem: str  # of the files' names
    weights: bytes = b""  # where they are apart from the source
    pages: tuple[tuple[int, int], ...] = ()  # of paged weights, by loop: start, bytes


def emit(
    plan: Schedule,
    prefix: str = "ev_model",
    stem: str | None = None,
    apart: bool = False,
    paged: bool = False,
    exits: Sequence[ExitCheck] = (),
) -> Emitted:
    """Return the C source of a plan. `exits` check all outputs but the last.

    `prefix` begins every name that a linker sees; `stem` names the files. Arrays are in the source,
    `apart` from it, or `paged`: fetched for each loop.
    """
    writer = _Writer(plan, prefix, apart, paged, exits)
    for index, walk in enumerate(plan.walks):
        writer.loop(index, walk)
    files = dict.fromkeys(source for card in plan.cards.values() for source in card.sources)
    files |= dict.fromkeys([EXIT_SOURCE] if exits else [])
    layers = tuple(
        Layer(op, tuple(functions), tuple(writer.called[op.name]))
        for op, functions in writer.functions.values()
    )
    source = writer.source(stem or prefix)
    digest = hashlib.sha256(source.encode() + writer.weights).hexdigest()
    return Emitted(
        header(plan, prefix, len(layers), digest, bool(exits)),
        source,
        tuple(files),
        layers,
        plan,
        stem or prefix,
        writer.weights,
        writer.pages,
    )


class _Writer:
    def __init__(
        self,
        plan: Schedule,
        prefix: str,
        apart: bool,
        paged: bool,
        exits: Sequence[ExitCheck],
    ) -> None:
        self._plan = plan
        self._net = plan.net
        self._prefix = prefix
        self._offsets = plan.offsets
        self._constants = Constants(prefix, apart, paged)
        self._apart = apart or paged
        graph = plan.net.graph
        model_inputs = [
            (i, v.name) for i, v in enumerate(graph.passed_inputs) if v.name not in self._net.makers
        ]
        self._outside = {name: f"inputs[{i}]" for i, name in model_inputs}
        self._outside |= {c.value.name: self._constants.array(c.data) for c in graph.constants}
        self._checks = [self._constants.parameters(exit_call(check)) for check in exits]
        self._lines: list[str] = []
        self.functions: dict[str, tuple[Op, list[str]]] = {}
        self.called: dict[str, dict[str, None]] = {}

    @property
    def weights(self) -> bytes:
        return self._constants.weights

    @property
    def pages(self) -> tuple[tuple[int, int], ...]:
        return self._constants.pages

    def loop(self, index: int, walk: LoopWalk) -> None:
        """Emit a function for each operation in the loop, then the loop itself."""
        self._constants.begin_page()
        receives_rows = any(isinstance(op, ArrivingRows) for op in walk.loop.ops)
        if receives_rows:
            body = self._as_it_comes(index, walk)
            gets = f"({self._prefix} *model, uint32_t ready)"
        else:
            body = self._by_image(index, walk) if walk.loop.by_image else self._in_lockstep(index, walk)  # fmt: skip
            gets = "(const void *const *inputs, uint8_t *arena)"
        name = f"{self._prefix}_loop_{index}"
        makes = ", ".join(walk.loop.kept)
        self._lines.append(
            f"/* {comment(makes)} */\nstatic void {name}{gets}\n{{\n" + "".join(f"    {line}\n" for line in body) + "}\n"
        )  # fmt: skip

    def _in_lockstep(self, index: int, walk: LoopWalk) -> list[str]:
        ops = walk.loop.ops
        full, rest = divmod(ops[-1].output.rows, walk.tile)
        calls = [f"{self._function(index, walk, op)}(inputs, arena, row);" for op in ops]
        if (full == 1 and not rest) or len(ops) == 1:
            return [call.replace("row);", "0u);") for call in calls]
        lines = [f"for (uint32_t row = 0; row < {full}u; row++) {{", *(f"    {c}" for c in calls), "}"]  # fmt: skip
        return [*lines, *self._last_tile(index, walk)]

    def _last_tile(self, index: int, walk: LoopWalk) -> list[str]:
        """Return the calls of the last tile if it is short."""
        full, rest = divmod(walk.loop.ops[-1].output.rows, walk.tile)
        ops = [op for op in walk.loop.ops if not isinstance(op, ArrivingRows)] if rest else []
        return [f"{self._function(index, walk, op, rest)}(inputs, arena, {full}u);" for op in ops]

    def _by_image(self, index: int, walk: LoopWalk) -> list[str]:
        """Return a body that makes the missing rows of each operation, as `LoopWalk` does."""
        ops = walk.loop.ops
        if len(ops) == 1:
            return [f"{self._function(index, walk, ops[0])}(inputs, arena, 0u);"]
        lines = [f"uint32_t made[{len(ops)}] = {{0}};"]
        lines.append(f"for (uint32_t step = 1; step <= {walk.steps}u; step++) {{")
        lines += [f"    {line}" for line in self._needed(walk)]
        for k, op in enumerate(ops):
            lines += [f"    {line}" for line in self._missing_rows(index, walk, op, f"made[{k}]", f"need[{k}]")]  # fmt: skip
        return [*lines, "}"]

    def _missing_rows(
        self, index: int, walk: LoopWalk, op: Op, done: str, need: str
    ) -> tuple[str, ...]:
        """Return the lines that make rows from `done` up to `need`: together, where a call may."""
        function = self._function(index, walk, op)
        rings = rings_of(walk, op)
        if is_told_rows(walk, op) and rings:
            rows = f"{need} - {done}"
            for ring in rings:
                rows = f"ev_in_a_row({rows}, {done}, {ring})"
            return (
                f"while ({done} < {need}) {{",
                f"    const uint32_t rows = {rows};",
                f"    {function}(inputs, arena, {done}, rows);",
                f"    {done} += rows;",
                "}",
            )
        if is_told_rows(walk, op):
            return (
                f"if ({done} < {need}) {{",
                f"    {function}(inputs, arena, {done}, {need} - {done});",
                f"    {done} = {need};",
                "}",
            )
        return f"for (; {done} < {need}; {done}++)", f"    {function}(inputs, arena, {done});"

    def _needed(self, walk: LoopWalk) -> list[str]:
        """Return the lines that compute the rows each operation must have made after `step`."""
        ops = walk.loop.ops
        place = {op.name: k for k, op in enumerate(ops)}
        lines = [f"uint32_t need[{len(ops)}] = {{0}};"]
        lines += [f"need[{place[name]}] = {_wanted(walk, name)};" for name in walk.loop.kept]
        for op in reversed(ops):
            for i, source in walk.inside(op):
                there, here = f"need[{place[source]}]", f"need[{place[op.name]}]"
                lines.append(f"{there} = ev_most({there}, {_upto(walk, op, i, source, here)});")
        return lines

    def _as_it_comes(self, index: int, walk: LoopWalk) -> list[str]:
        """Return a body that resumes where it stopped, while there are enough rows of the image."""
        if len(walk.loop.ops) == 1:
            return ["model->step = ready;"]
        lines = ["const void *const *inputs = NULL;", "uint8_t *const arena = model->arena;"]
        ops = list(enumerate(walk.loop.ops))
        (taken,) = (k for k, op in ops if isinstance(op, ArrivingRows))
        if walk.loop.by_image:
            lines.append(f"for (uint32_t step = model->step + 1; step <= {walk.steps}u; step++) {{")
            lines += [f"    {line}" for line in self._needed(walk)]
            lines += [f"    if (need[{taken}] > ready)", "        return;"]
            for k, op in ops:
                if k != taken:
                    rows = self._missing_rows(index, walk, op, f"model->made[{k}]", f"need[{k}]")
                    lines += [f"    {line}" for line in rows]
            return [*lines, "    model->step = step;", "}"]
        full, rest = divmod(walk.loop.ops[-1].output.rows, walk.tile)
        lines.append(f"for (; model->step < {full}u && model->step < ready; model->step++) {{")
        lines += [f"    {self._function(index, walk, op)}(inputs, arena, model->step);" for k, op in ops if k != taken]  # fmt: skip
        lines.append("}")
        if rest:
            lines.append(f"if (model->step == {full}u && ready > {full}u) {{")
            lines += [f"    {line}" for line in self._last_tile(index, walk)]
            lines += ["    model->step++;", "}"]
        return lines

    def _function(self, index: int, walk: LoopWalk, op: Op, rest: int | None = None) -> str:
        place = walk.loop.ops.index(op)
        name = f"{self._prefix}_{index}_{place}" + ("_rest" if rest else "")
        steps = self._plan.cards[op.name].steps(op, tile_of(walk, op, rest))
        self.functions.setdefault(op.name, (op, []))[1].append(name)
        layer = list(self.functions).index(op.name)
        signature = _SIGNATURE_OF_ROWS if is_told_rows(walk, op) else _SIGNATURE
        about = f"{op.name}: {op.kind} {op.settings()} -> {op.output}".replace("  ", " ")
        self._lines.append(
            f"/* {comment(about)} */\nvoid {name}{signature};\nEV_STEP void {name}{signature}\n{{\n"
            f"    (void)inputs;\n    (void)arena;\n    (void)row;\n    EV_TRACE({layer}u, 0);\n"
            + "".join(f"    {line}\n" for line in self._calls(index, walk, op, steps))
            + f"    EV_TRACE({layer}u, 1);\n}}\n"
        )
        called = self.called.setdefault(op.name, {})
        called.update(dict.fromkeys(call.function for call in steps.calls))
        return name

    def _calls(self, index: int, walk: LoopWalk, op: Op, steps: Steps) -> list[str]:
        lines = [self._call(index, walk, op, call, steps.repeat > 1) for call in steps.calls]
        if steps.repeat == 1:
            return lines
        head = f"for (uint32_t i = 0; i < {steps.repeat}u; i++) {{"
        return [head, *(f"    {line}" for line in lines), "}"]

    def _call(self, index: int, walk: LoopWalk, op: Op, call: KernelCall, looped: bool) -> str:
        words = [f"&{self._constants.parameters(call)}"]
        words += [self._argument(index, walk, op, a, looped) for a in call.arguments]
        return f"{call.function}({', '.join(words)});"

    def _argument(
        self, index: int, walk: LoopWalk, op: Op, argument: Argument, looped: bool
    ) -> str:
        if isinstance(argument, int):
            return f"{argument}u"
        if isinstance(argument, FirstRow):
            return "row" if isinstance(op, WINDOWED) else f"row * {walk.unit(op.name)}u"
        if isinstance(argument, RowCount):
            return "rows" if isinstance(op, WINDOWED) else f"rows * {walk.unit(op.name)}u"
        if isinstance(argument, Scratch):
            offset = self._offsets.get(scratch_name(index), 0) + argument.offset
            return f"arena + {offset}u"
        if isinstance(argument, Input):
            value, how = op.inputs[argument.index], access(op, argument.index)
            stride = unit_bytes(walk, op, argument.index) if isinstance(how, Same) else 0
            const = "const "
        else:
            value, const = op.output, ""
            stride = unit_bytes(walk, op) if moves(op) else 0
        place = self._place(index, walk, value, stride, const) + (f" + {argument.offset}u" if argument.offset else "")  # fmt: skip
        if looped and argument.step:
            place += f" + i * {argument.step}u"
        return f"({const}void *)({place})"

    def _place(self, index: int, walk: LoopWalk, value: Value, stride: int, const: str) -> str:
        """Return the C address of the row; a streamed value is in its ring."""
        name = self._net.storage[value.name].name
        ring = walk.rings.get(name)
        if ring is not None and name in {op.name for op in walk.loop.ops}:
            base = f"arena + {self._offsets[ring_name(index, name)]}u"
            return base + (f" + row % {ring}u * {stride}u" if stride and ring > 1 else "")
        moved = f" + row * {stride}u" if stride and len(walk.loop.ops) > 1 else ""  # fmt: skip
        if name in self._outside:
            return f"({const}uint8_t *){self._outside[name]}{moved}"
        return f"arena + {self._offsets[name]}u{moved}"

    def source(self, stem: str) -> str:
        plan, prefix = self._plan, self._prefix
        graph = self._net.graph
        places = [self._output_place(value) for value in graph.returned_outputs]
        outputs = "".join(
            f"    memcpy(outputs[{i}], {place}, {value.bytes}u);\n"
            for i, (place, value) in enumerate(zip(places, graph.returned_outputs, strict=True))
        )
        outputs += "".join(
            f"    memcpy(arena + {self._offsets[graph.inputs[k].name]}u, {self._output_place(graph.outputs[j])}, "
            f"{graph.inputs[k].bytes}u);\n"
            for k, j in graph.states
        )
        parts = [
            f"/* {comment(self._net.graph.name)}, written by edgevit.\n   SPDX-License-Identifier: Apache-2.0 */",
            f'#include "{stem}.h"\n\n#include <string.h>\n\n{self._includes(stem)}',
            "#define EV_STEP __attribute__((noinline))\n",
            tracing(prefix, list(self.functions)) + debugging(plan, prefix),
            self._constants.text() + "\n",
            fetching(prefix, self.pages),
            *self._lines,
            calls(plan, prefix, outputs),
            early_calls(plan, prefix, places, self._checks),
        ]
        return "\n".join(parts)

    def _output_place(self, value: Value) -> str:
        name = self._net.storage[value.name].name
        return f"arena + {self._offsets[name]}u" if name in self._offsets else self._outside[name]

    def _includes(self, stem: str) -> str:
        """Return the includes of the used families' headers; the plain one is always included."""
        families = sorted({card.family for card in self._plan.cards.values()} - {"plain"})
        headers = [
            "ev_kernels.h",
            "ev_schedule.h",
            *(f"ev_kernels_{family}.h" for family in families),
            *([f"{stem}_weights.h"] if self._apart else []),
        ]
        return "".join(f'#include "{header}"\n' for header in headers)


def _wanted(walk: LoopWalk, name: str) -> str:
    height = walk.height(name)
    if height == walk.steps:
        return "step"
    return f"step * {height}u / {walk.steps}u"


def _upto(walk: LoopWalk, op: Op, index: int, source: str, rows: str) -> str:
    how = access(op, index)
    if not isinstance(how, Sliding):
        return rows
    return f"ev_upto({rows}, {how.stride}, {how.extent - how.top}, {walk.height(source)})"
