"""C99 for a plan: constants in flash, a function for each operation of each loop, one arena, calls of the kernels."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.backends.mcu.constants import Constants
from edgevit.backends.mcu.kernels.card import Argument, Call, First, Input, Scratch, Steps
from edgevit.backends.mcu.schedule.access import WINDOWED, Same, Sliding, access, moves
from edgevit.backends.mcu.schedule.plan import Plan, piece_of, ring_name, scratch_name, unit_bytes
from edgevit.backends.mcu.schedule.walk import Walk
from edgevit.integer.graph import Op, Value

_SIGNATURE = "(const void *const *inputs, uint8_t *arena, uint32_t row)"


@dataclass(frozen=True)
class Layer:
    """An operation as C knows it: a function for each loop that does it, and for a last tile that is short."""

    op: Op
    functions: tuple[str, ...]
    kernels: tuple[str, ...]


@dataclass(frozen=True)
class Emitted:
    header: str
    source: str
    kernels: tuple[str, ...]  # the files it needs, below kernels/
    layers: tuple[Layer, ...]
    plan: Plan


def emit(plan: Plan, prefix: str = "ev_model") -> Emitted:
    """`prefix` begins every name that a linker sees."""
    writer = _Writer(plan, prefix)
    for index, walk in enumerate(plan.walks):
        writer.loop(index, walk)
    files = dict.fromkeys(source for card in plan.cards.values() for source in card.sources)
    layers = tuple(
        Layer(op, tuple(functions), tuple(writer.called[op.name]))
        for op, functions in writer.functions.values()
    )
    return Emitted(header(plan, prefix), writer.source(), tuple(files), layers, plan)


def header(plan: Plan, prefix: str) -> str:
    graph, upper = plan.net.graph, prefix.upper()
    sizes = [
        f"#define {upper}_{kind}_{index}_BYTES {value.bytes}u /* {value} */"
        for kind, values in (("INPUT", graph.inputs), ("OUTPUT", graph.outputs))
        for index, value in enumerate(values)
    ]
    return "\n".join(
        [
            f"#ifndef {upper}_H",
            f"#define {upper}_H",
            "",
            "#include <stdint.h>",
            "",
            *sizes,
            f"#define {upper}_ARENA_BYTES {max(plan.size, 1)}u /* aligned to 16 */",
            "",
            "/* Inputs and outputs in order; none may lie in the arena. */",
            f"void {prefix}_run(const void *const *inputs, void *const *outputs, uint8_t *arena);",
            "",
            "#endif",
            "",
        ]
    )


class _Writer:
    def __init__(self, plan: Plan, prefix: str) -> None:
        self._plan = plan
        self._net = plan.net
        self._prefix = prefix
        self._offsets = plan.offsets
        self._constants = Constants(prefix)
        graph = plan.net.graph
        self._outside = {v.name: f"inputs[{i}]" for i, v in enumerate(graph.inputs)}
        self._outside |= {c.value.name: self._constants.array(c.data) for c in graph.constants}
        self._lines: list[str] = []
        self._loops: list[str] = []
        self.functions: dict[str, tuple[Op, list[str]]] = {}
        self.called: dict[str, dict[str, None]] = {}

    def loop(self, index: int, walk: Walk) -> None:
        """A function for each operation in it, then the loop itself."""
        body = self._by_image(index, walk) if walk.loop.by_image else self._in_lockstep(index, walk)
        name = f"{self._prefix}_loop_{index}"
        makes = ", ".join(walk.loop.kept)
        self._lines.append(
            f"/* {makes} */\nstatic void {name}(const void *const *inputs, uint8_t *arena)\n{{\n"
            + "".join(f"    {line}\n" for line in body)
            + "}\n"
        )
        self._loops.append(name)

    def _in_lockstep(self, index: int, walk: Walk) -> list[str]:
        ops = walk.loop.ops
        rows, tile = ops[-1].output.rows, walk.tile
        full, rest = divmod(rows, tile)
        once = full == 1 and not rest
        calls = [f"{self._function(index, walk, op)}(inputs, arena, row);" for op in ops]
        if once or len(ops) == 1:
            return [call.replace("row);", "0u);") for call in calls]
        lines = [f"for (uint32_t row = 0; row < {full}u; row++) {{", *(f"    {c}" for c in calls), "}"]  # fmt: skip
        if rest:
            lines += [
                f"{self._function(index, walk, op, rest)}(inputs, arena, {full}u);" for op in ops
            ]
        return lines

    def _by_image(self, index: int, walk: Walk) -> list[str]:
        """What is missing of each, as `Walk` has it."""
        ops = walk.loop.ops
        if len(ops) == 1:
            return [f"{self._function(index, walk, ops[0])}(inputs, arena, 0u);"]
        place = {op.name: k for k, op in enumerate(ops)}
        lines = [f"uint32_t made[{len(ops)}] = {{0}};"]
        lines.append(f"for (uint32_t step = 1; step <= {walk.steps}u; step++) {{")
        lines.append(f"    uint32_t need[{len(ops)}] = {{0}};")
        for name in walk.loop.kept:
            lines.append(f"    need[{place[name]}] = {_wanted(walk, name)};")
        for op in reversed(ops):
            for i, source in walk.inside(op):
                there, here = f"need[{place[source]}]", f"need[{place[op.name]}]"
                lines.append(f"    {there} = ev_most({there}, {_upto(walk, op, i, source, here)});")
        for k, op in enumerate(ops):
            function = self._function(index, walk, op)
            lines.append(f"    for (; made[{k}] < need[{k}]; made[{k}]++)")
            lines.append(f"        {function}(inputs, arena, made[{k}]);")
        return [*lines, "}"]

    def _function(self, index: int, walk: Walk, op: Op, rest: int | None = None) -> str:
        place = walk.loop.ops.index(op)
        name = f"{self._prefix}_{index}_{place}" + ("_rest" if rest else "")
        steps = self._plan.cards[op.name].steps(op, piece_of(walk, op, rest))
        about = f"/* {op.name}: {op.kind} {op.settings()} -> {op.output} */".replace("  ", " ")
        self._lines.append(
            f"{about}\nvoid {name}{_SIGNATURE};\nEV_STEP void {name}{_SIGNATURE}\n{{\n"
            "    (void)inputs;\n    (void)arena;\n    (void)row;\n"
            + "".join(f"    {line}\n" for line in self._calls(index, walk, op, steps))
            + "}\n"
        )
        self.functions.setdefault(op.name, (op, []))[1].append(name)
        called = self.called.setdefault(op.name, {})
        called.update(dict.fromkeys(call.function for call in steps.calls))
        return name

    def _calls(self, index: int, walk: Walk, op: Op, steps: Steps) -> list[str]:
        lines = [self._call(index, walk, op, call, steps.repeat > 1) for call in steps.calls]
        if steps.repeat == 1:
            return lines
        head = f"for (uint32_t i = 0; i < {steps.repeat}u; i++) {{"
        return [head, *(f"    {line}" for line in lines), "}"]

    def _call(self, index: int, walk: Walk, op: Op, call: Call, looped: bool) -> str:
        words = [f"&{self._constants.parameters(call)}"]
        words += [self._argument(index, walk, op, a, looped) for a in call.arguments]
        return f"{call.function}({', '.join(words)});"

    def _argument(self, index: int, walk: Walk, op: Op, argument: Argument, looped: bool) -> str:
        if isinstance(argument, int):
            return f"{argument}u"
        if isinstance(argument, First):
            return "row" if isinstance(op, WINDOWED) else f"row * {walk.unit(op.name)}u"
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

    def _place(self, index: int, walk: Walk, value: Value, stride: int, const: str) -> str:
        """Where the row is: of what is streamed, in its ring."""
        name = self._net.storage[value.name].name
        ring = walk.rings.get(name)
        if ring is not None and name in {op.name for op in walk.loop.ops}:
            base = f"arena + {self._offsets[ring_name(index, name)]}u"
            return base + (f" + row % {ring}u * {stride}u" if stride and ring > 1 else "")
        moved = f" + row * {stride}u" if stride and len(walk.loop.ops) > 1 else ""  # fmt: skip
        if name in self._outside:
            return f"({const}uint8_t *){self._outside[name]}{moved}"
        return f"arena + {self._offsets[name]}u{moved}"

    def source(self) -> str:
        graph = self._net.graph
        calls = "".join(f"    {loop}(inputs, arena);\n" for loop in self._loops)
        outputs = ""
        for i, value in enumerate(graph.outputs):
            name = self._net.storage[value.name].name
            place = f"arena + {self._offsets[name]}u" if name in self._offsets else self._outside[name]  # fmt: skip
            outputs += f"    memcpy(outputs[{i}], {place}, {value.bytes}u);\n"
        return (
            f"/* {graph.name}, written by edgevit. */\n"
            f'#include "{self._prefix}.h"\n\n#include <string.h>\n\n{self._includes()}\n'
            "#define EV_STEP __attribute__((noinline))\n\n"
            + f"{self._constants.text()}\n\n"
            + "\n".join(self._lines)
            + f"\nvoid {self._prefix}_run(const void *const *inputs, void *const *outputs, uint8_t *arena)\n"
            f"{{\n    (void)inputs;\n    (void)arena;\n{calls}{outputs}}}\n"
        )

    def _includes(self) -> str:
        """The headers of the families that are used, the plain one always."""
        families = sorted({card.family for card in self._plan.cards.values()} - {"plain"})
        headers = [
            "ev_kernels.h",
            "ev_schedule.h",
            *(f"ev_kernels_{family}.h" for family in families),
        ]
        return "".join(f'#include "{header}"\n' for header in headers)


def _wanted(walk: Walk, name: str) -> str:
    height = walk.height(name)
    if height == walk.steps:
        return "step"
    return f"step * {height}u / {walk.steps}u"


def _upto(walk: Walk, op: Op, index: int, source: str, rows: str) -> str:
    how = access(op, index)
    if not isinstance(how, Sliding):
        return rows
    return f"ev_upto({rows}, {how.stride}, {how.extent - how.top}, {walk.height(source)})"
