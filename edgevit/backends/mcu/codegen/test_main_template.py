"""C program that runs emitted networks on given inputs and emits their outputs.

It is used by emulators and tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgevit.backends.mcu.codegen.emit import Emitted
from edgevit.integer import IntegerGraph

PAINT = 0xA5


@dataclass(frozen=True)
class Case:
    """Network under its prefix, and the inputs it runs on: those that a call passes, without states.

    A network with states has them reset first. `more` are further calls, each with inputs of its own.
    """

    prefix: str
    graph: IntegerGraph
    emitted: Emitted
    inputs: tuple[np.ndarray, ...]
    more: tuple[tuple[np.ndarray, ...], ...] = ()

    @property
    def calls(self) -> tuple[tuple[np.ndarray, ...], ...]:
        return (self.inputs, *self.more)


def main_template(cases: Sequence[Case], emit_arena: bool = False, poked: bool = False) -> str:
    """Return a C program whose `main` runs all cases one after the other in one arena.

    Each case emits its outputs, then the arena if `emit_arena`. Inputs are constants of the
    program, or written by the emulator if `poked` (`poked_inputs`).
    """
    size = max(max(case.emitted.plan.size, 1) for case in cases)
    outputs = max(sum(value.bytes for value in case.graph.returned_outputs) for case in cases)
    includes = "".join(f'#include "{case.emitted.stem}.h"\n' for case in cases)
    body = "".join(_case(case, emit_arena) for case in cases)
    data = "".join(_inputs(case, poked) for case in cases)
    return (
        f'#include <stdint.h>\n#include <string.h>\n\n#include "ev_run.h"\n{includes}\n{data}'
        f"static uint8_t arena[{size}] __attribute__((aligned(16)));\n"
        f"static uint8_t result[{outputs}] __attribute__((aligned(16)));\n\n"
        f"int main(void)\n{{\n{body}    return 0;\n}}\n"
    )


def early_template(case: Case) -> str:
    """Return a C program that runs a network up to the exit that is sure, and emits its logits and number.

    Inputs and `most`, the limits of all exits but the last, are written by the emulator.
    """
    prefix, graph = case.prefix, case.graph
    logits = graph.outputs[0].bytes
    inputs = ", ".join(f"{prefix}_input_{index}" for index in range(len(case.inputs)))
    return (
        f'#include <stdint.h>\n\n#include "ev_run.h"\n#include "{case.emitted.stem}.h"\n\n{_inputs(case, True)}'
        f"EV_INPUT uint32_t most[{len(graph.outputs) - 1}];\n"
        f"static uint8_t arena[{prefix.upper()}_ARENA_BYTES] __attribute__((aligned(16)));\n"
        f"static uint8_t logits[{logits}] __attribute__((aligned(16)));\n\n"
        f"int main(void)\n{{\n    const void *const inputs[] = {{{inputs}}};\n    uint32_t taken = 0;\n"
        f"    if ({prefix}_run_early(inputs, logits, arena, most, &taken) != EV_OK)\n        return 1;\n"
        "    ev_emit(logits, sizeof(logits));\n    ev_emit(&taken, sizeof(taken));\n    return 0;\n}\n"
    )


def read_outputs(
    cases: Sequence[Case], emitted: bytes, with_arena: bool = False
) -> list[tuple[tuple[np.ndarray, ...], bytes]]:
    """Split what was emitted into the outputs of every call of every case, and the arena as it was left."""
    calls = []
    position = 0
    for case in cases:
        for _ in case.calls:
            arrays = []
            for value in case.graph.returned_outputs:
                part = emitted[position : position + value.bytes]
                arrays.append(np.frombuffer(part, value.dtype).reshape(value.shape))
                position += value.bytes
            size = case.emitted.plan.size if with_arena else 0
            calls.append((tuple(arrays), emitted[position : position + size]))
            position += size
    return calls


def poked_inputs(cases: Sequence[Case]) -> dict[str, bytes]:
    """Return the inputs' bytes by symbol."""
    return {
        _input(case, call, index): np.ascontiguousarray(data).tobytes()
        for case in cases
        for call, inputs in enumerate(case.calls)
        for index, data in enumerate(inputs)
    }


def _input(case: Case, call: int, index: int) -> str:
    return f"{case.prefix}_input_{index}" + (f"_{call}" if call else "")


def _inputs(case: Case, poked: bool) -> str:
    lines = []
    for name, data in poked_inputs([case]).items():
        if poked:
            lines.append(f"EV_INPUT uint8_t {name}[{len(data)}];\n")
            continue
        body = ", ".join(map(str, data))
        lines.append(
            f"static const uint8_t {name}[{len(data)}] __attribute__((aligned(16))) = {{{body}}};\n"
        )
    return "".join(lines)


def _case(case: Case, emit_arena: bool) -> str:
    prefix, size = case.prefix, case.emitted.plan.size
    places, position = [], 0
    for value in case.graph.returned_outputs:
        places.append(f"result + {position}")
        position += value.bytes
    lines = [
        f"void *const outputs[] = {{{', '.join(places)}}};",
        *([f"memset(arena, {PAINT}, {size});"] if emit_arena and size else []),
    ]
    if case.graph.states:
        lines += [f"if ({prefix}_reset_state(arena) != EV_OK)", "    return 1;"]
    for call, inputs in enumerate(case.calls):
        names = ", ".join(_input(case, call, index) for index in range(len(inputs)))
        lines += [
            f"const void *const inputs_{call}[] = {{{names}}};",
            f"if ({prefix}_run(inputs_{call}, outputs, arena) != EV_OK)",
            "    return 1;",
            f"ev_emit(result, {position});",
            *([f"ev_emit(arena, {size});"] if emit_arena and size else []),
        ]
    return "    {\n" + "".join(f"        {line}\n" for line in lines) + "    }\n"
