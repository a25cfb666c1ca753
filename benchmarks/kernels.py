"""What every kernel costs on every core, alone: instructions, and on the Cortex-M4 cycles to first order.

Each operation is compiled into a program of its own by both toolchains, and run on an emulated core; its result has to
be what the integer operation computes, bit for bit. `python benchmarks/kernels.py --output docs/kernels.md`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from kernel_shapes import OTHERS, PRODUCTS, Shape, random

from edgevit.backends.mcu.codegen.constants import Constants
from edgevit.backends.mcu.cores import CORES, Core
from edgevit.backends.mcu.emulator import EmulatedRun, emulator, emulators_of
from edgevit.backends.mcu.kernels.card import (
    Argument,
    Card,
    FirstRow,
    Input,
    RowCount,
    Scratch,
    whole,
)
from edgevit.backends.mcu.kernels.table import card_of
from edgevit.backends.mcu.run.cycles import estimate_m4
from edgevit.backends.mcu.run.elf import read_elf
from edgevit.backends.mcu.toolchain import TOOLCHAINS, Toolchain, toolchain
from edgevit.errors import MissingToolError
from edgevit.integer.graph import Op
from edgevit.support.resources import data_dir

_SECONDS = 900.0  # of a run: a busy machine is no failure
_MAIN = """
void step(void);
__attribute__((noinline)) void step(void)
{{
    for (uint32_t i = 0; i < {repeat}u; i++) {{
{calls}    }}
}}

void after(void);
__attribute__((noinline)) void after(void)
{{
    ev_emit(output, {size}u);
}}

int main(void)
{{
    step();
    after();
    return 0;
}}
"""


@dataclass(frozen=True)
class Figure:
    kernel: str
    instructions: float  # per unit
    cycles: float | None  # on the M4


Figures = dict[tuple[str, str, str], Figure]  # shape, core, toolchain


def main_source(op: Op, card: Card) -> str:
    """A program that does the operation once, on inputs that the emulator writes."""
    steps = card.steps(op, whole(op))
    constants = Constants("bench")
    calls = ""
    for call in steps.calls:
        words = [f"&{constants.parameters(call)}", *map(_argument, call.arguments)]
        calls += f"        {call.function}({', '.join(words)});\n"
    headers = ["ev_run.h", "ev_kernels.h"]
    headers += [f"ev_kernels_{card.family}.h"] if card.family != "plain" else []
    inputs = "".join(
        f"EV_INPUT uint8_t input_{i}[{value.bytes}];\n" for i, value in enumerate(op.inputs)
    )
    aligned = "__attribute__((aligned(16)))"
    return (
        "".join(f'#include "{name}"\n' for name in headers)
        + f"\n{constants.text()}\n{inputs}static uint8_t output[{op.output.bytes}] {aligned};\n"
        + f"uint8_t scratch[{max(card.scratch(op), 1)}] {aligned};\n"
        + _MAIN.format(repeat=steps.repeat, calls=calls, size=op.output.bytes)
    )


def _argument(argument: Argument) -> str:
    if isinstance(argument, int):
        return f"{argument}u"
    if isinstance(argument, FirstRow):
        return "0u"
    if isinstance(argument, Scratch):
        return f"(void *)(scratch + {argument.offset}u)"
    assert not isinstance(argument, RowCount)  # a whole operation has its rows in the tile
    place = f"{argument.offset}u + i * {argument.step}u"
    if isinstance(argument, Input):
        return f"(const void *)(input_{argument.index} + {place})"
    return f"(void *)(output + {place})"


def figure_of(shape: Shape, core: Core, tool: Toolchain) -> Figure:
    rng = np.random.default_rng(0)
    op = shape.make(rng)
    op.check()
    card = card_of(op, core)
    assert card is not None
    card = card.wider or card
    inputs = [random(rng, value) for value in op.inputs]
    with tempfile.TemporaryDirectory(prefix="edgevit-bench-") as folder:
        program = _link(op, card, core, tool, Path(folder))
        run = emulator(emulators_of(core)[0]).run(
            program,
            core,
            inputs={f"input_{i}": data.tobytes() for i, data in enumerate(inputs)},
            regions=("step", "after"),
            profile=core.name == "m4",
            seconds=_SECONDS,
        )
        cycles = _cycles(program, run)
    if run.output != op.run(*inputs).tobytes():
        raise SystemExit(f"{card.function} on {core.title}, {tool.name}: not the integer operation")
    count = shape.count(op)
    per_unit = None if cycles is None else cycles / count
    return Figure(card.function, run.by_region["step"] / count, per_unit)


def _link(op: Op, card: Card, core: Core, tool: Toolchain, folder: Path) -> Path:
    kernels = data_dir("kernels")
    (folder / "main.c").write_text(main_source(op, card))
    sources = [folder / "main.c", *(kernels / source for source in card.sources)]
    objects = [tool.compile(source, core, include=[kernels / "include"]) for source in sources]
    return tool.link(objects, core, folder / "program.elf")


def _cycles(program: Path, run: EmulatedRun) -> int | None:
    if run.profile is None:
        return None
    spent = estimate_m4(read_elf(program), run.profile).by_function
    return sum(cycles for name, cycles in spent.items() if name not in ("main", "after"))


def measure(shapes: Sequence[Shape], cores: Sequence[Core]) -> Figures:
    found: Figures = {}
    for core in cores:
        for name in TOOLCHAINS:
            try:
                for shape in shapes:
                    found[shape.name, core.name, name] = figure_of(shape, core, toolchain(name))
            except MissingToolError as error:
                print(f"{core.title}, {name}: {error}", file=sys.stderr)
            print(f"{core.title}, {name}: done", file=sys.stderr)
    return found


def page(figures: Figures, cores: Sequence[Core], shapes: Sequence[Shape]) -> Iterator[str]:
    yield "# What kernels cost"
    yield ""
    yield "Written by `python benchmarks/kernels.py --output docs/kernels.md`. All figures are `emulated`: whole calls of one"
    yield "kernel, packing of rows, tails and requantising included, and the result compared with the integer operation bit for"
    yield (
        "bit. In a cell: the toolchain `zig`, then `gcc` (clang for the M55). Compiled by "
        + _versions(cores)
        + "."
    )
    yield "Run on " + _emulators(cores) + "."
    yield ""
    yield "CMSIS-NN, measured 2026-07, at 196 tokens: gcc on the M4, clang 19 on the M55. These are constants, not measured again"
    yield "by this script, and it rounds in another way than we do; FC is its fully connected layer, 1x1 its convolution, `none`"
    yield "where it has no such kernel."
    yield ""
    yield "Some DSP kernels are quicker for the parameters they mostly meet: an add with a shift of 6 or 7 (`add` has 6), a norm whose shift is"
    yield "9 to 16 (few steps of the output make it longer). Averages over more than 256 pixels are the portable kernel there."
    for title, part in (("Products", PRODUCTS), ("Everything else", OTHERS)):
        chosen = [shape for shape in part if shape in shapes]
        if chosen:
            yield from ("", f"## {title}: instructions", "")
            yield from _instructions(figures, cores, chosen)
    if any(core.name == "m4" for core in cores):
        yield from ("", "## Cortex-M4: cycles to first order", "")
        yield "By the table of the processor's manual, with memory that never waits (`edgevit/backends/mcu/run/cycles.py`)."
        yield ""
        yield from _m4_cycles(figures, shapes)


def _instructions(
    figures: Figures, cores: Sequence[Core], shapes: Sequence[Shape]
) -> Iterator[str]:
    heads = [core.title for core in cores] + ["CMSIS-NN M4", "CMSIS-NN M55"]
    yield "| operation | per | " + " | ".join(heads) + " |"
    yield "|---|---|" + "--:|" * len(heads)
    for shape in shapes:
        cells = [_cell(figures, shape, core.name) for core in cores]
        words = [shape.name, shape.unit, *cells, shape.cmsis_m4, shape.cmsis_m55]
        yield "| " + " | ".join(words) + " |"


def _cell(figures: Figures, shape: Shape, core: str) -> str:
    found = [figures.get((shape.name, core, tool)) for tool in TOOLCHAINS]
    return " / ".join("-" if figure is None else _number(figure.instructions) for figure in found)


def _number(x: float) -> str:
    return f"{x:.3f}" if x < 2 else f"{x:.2f}" if x < 10 else f"{x:.1f}"


def _m4_cycles(figures: Figures, shapes: Sequence[Shape]) -> Iterator[str]:
    yield "| operation | per | kernel | zig | gcc |"
    yield "|---|---|---|--:|--:|"
    for shape in shapes:
        found = [figures.get((shape.name, "m4", tool)) for tool in TOOLCHAINS]
        kernel = next((f"`{figure.kernel}`" for figure in found if figure), "-")
        cells = ["-" if f is None or f.cycles is None else _number(f.cycles) for f in found]
        yield f"| {shape.name} | {shape.unit} | {kernel} | {' | '.join(cells)} |"


def _versions(cores: Sequence[Core]) -> str:
    found: dict[str, None] = {}
    for core in cores:
        for name in TOOLCHAINS:
            try:
                found[toolchain(name).version(core)] = None
            except MissingToolError:
                continue
    return ", ".join(found)


def _emulators(cores: Sequence[Core]) -> str:
    found: dict[str, None] = {}
    for core in cores:
        try:
            found[emulator(emulators_of(core)[0]).version(core)] = None
        except MissingToolError:
            continue
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="where the page is written")
    parser.add_argument("--cores", default=",".join(CORES), help="names, with commas between")
    parser.add_argument("--only", default="", help="shapes whose name has this in it")
    words = parser.parse_args()
    cores = [CORES[name] for name in words.cores.split(",")]
    shapes = [shape for shape in (*PRODUCTS, *OTHERS) if words.only in shape.name]
    text = "\n".join(page(measure(shapes, cores), cores, shapes)) + "\n"
    print(text)
    if words.output:
        words.output.write_text(text)


if __name__ == "__main__":
    main()
