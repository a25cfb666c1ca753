"""C interface for a caller: header, begin, push_rows, finish, one-shot call and debug checks."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from edgevit.backends.mcu.codegen.early_exit import early_declarations
from edgevit.backends.mcu.codegen.loop_calls import (
    RECEIVING,
    RowDestination,
    loop_call,
    ready_check,
    row_destination,
)
from edgevit.backends.mcu.schedule.image_source import pushed_rows
from edgevit.backends.mcu.schedule.plan import Schedule
from edgevit.backends.mcu.schedule.states import STATE_MARK
from edgevit.integer import IntegerGraph, Value
from edgevit.support.quoting import c_string, comment

CANARY = 16  # bytes after the arena, in a debug build
STATES = 0x65767374  # that the states of a sequence are in the arena; stray memory hardly holds it

# Around what a linker sees: a sketch in C++ calls it by its C name.
CPLUSPLUS_BEGIN = ("#ifdef __cplusplus", 'extern "C" {', "#endif")
CPLUSPLUS_END = ("#ifdef __cplusplus", "}", "#endif")


def header(plan: Schedule, prefix: str, layers: int, digest: str, has_exits: bool = False) -> str:
    graph, upper, destination = plan.net.graph, prefix.upper(), row_destination(plan)
    sizes = [
        f"#define {upper}_{kind}_{index}_BYTES {value.bytes}u /* {comment(str(value))} */"
        for kind, values in (("INPUT", graph.passed_inputs), ("OUTPUT", graph.returned_outputs))
        for index, value in enumerate(values)
    ]
    lines = [
        f"/* {comment(graph.name)}, written by edgevit {version('edgevit')}.\n   SPDX-License-Identifier: Apache-2.0 */",
        f"#ifndef {upper}_H",
        f"#define {upper}_H",
        "",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "",
        '#include "ev_status.h"',
        "",
        f"#define {upper}_NAME {c_string(graph.name)}",
        f'#define {upper}_VERSION "{version("edgevit")}"',
        f'#define {upper}_HASH "{digest}" /* SHA-256 of the code and its constants */',
        f"#define {upper}_LAYERS {layers}u",
        *sizes,
        f"#ifdef {upper}_DEBUG",
        f"#define {upper}_ARENA_BYTES {plan.size + CANARY}u",
        "#else",
        f"#define {upper}_ARENA_BYTES {max(plan.size, 1)}u /* aligned to 16 */",
        "#endif",
        "",
        *CPLUSPLUS_BEGIN,
        "",
        *(_state_declaration(prefix, graph) if graph.states else []),
        *(_streaming(prefix, graph, destination, bool(graph.states)) if destination else []),
        "/* All at once. Inputs and outputs in order, the image channels last; none may lie in the arena. */",
        f"int {prefix}_run(const void *const *inputs, void *const *outputs, uint8_t *arena);",
        "",
        *(early_declarations(prefix, graph, destination is not None) if has_exits else []),
        *_tracing(prefix),
        *CPLUSPLUS_END,
        "#endif",
        "",
    ]
    return "\n".join(lines)


def _state_declaration(prefix: str, graph: IntegerGraph) -> list[str]:
    return [
        f"#define {prefix.upper()}_STATE_BYTES {sum(state.bytes for state in graph.state_inputs)}u",
        "",
        "/* Begins a sequence of calls: sets the states, which each call takes over from the call before, to their first values. They are",
        "   in the arena, of which nothing else may be written between calls; without them calls return EV_ERROR_ORDER. */",
        f"int {prefix}_reset_state(uint8_t *arena);",
        "",
    ]


def _streaming(
    prefix: str, graph: IntegerGraph, destination: RowDestination, has_states: bool
) -> list[str]:
    upper, (image,) = prefix.upper(), graph.passed_inputs
    rows = pushed_rows(image)
    return [
        f"#define {upper}_ROWS {rows}u",
        f"#define {upper}_ROW_BYTES {image.bytes // rows}u",
        "",
        "/* The state of one image; between begin and finish only these functions may change it. */",
        f"typedef struct {prefix} {{",
        "    uint8_t *arena;",
        "    uint32_t state, received, step;",
        f"    uint16_t made[{destination.counters}];",
        f"}} {prefix};",
        "",
        f"/* An arena of the caller's, {'which keeps the states' if has_states else 'free again after finish'}. With EV_STATIC_ARENA defined when the model is compiled,",
        "   NULL stands for one of its own. */",
        f"int {prefix}_begin({prefix} *model, uint8_t *arena, size_t arena_bytes);",
        "/* The next rows of the image, from the top; what can be computed from them is. The image is never there whole. */",
        f"int {prefix}_push_rows({prefix} *model, const void *rows, uint32_t count);",
        "/* After the last row: computes the rest, and writes the outputs. */",
        f"int {prefix}_finish({prefix} *model, void *const *outputs);",
        "",
    ]


def _tracing(prefix: str) -> list[str]:
    upper = prefix.upper()
    return [
        f"#ifdef {upper}_TRACE /* the program defines it; called before and after each piece of a layer */",
        f"void {prefix}_trace(uint32_t layer, int after);",
        f"extern const char *const {prefix}_layers[{upper}_LAYERS];",
        "#endif",
        "",
    ]


def calls(plan: Schedule, prefix: str, outputs: str) -> str:
    """Return the functions of the header; `outputs` is the code that copies the results."""
    destination = row_destination(plan)
    loops = range(len(plan.walks))
    reset, check = _reset_state(plan, prefix), _state_check(plan)
    if destination is None:
        body = check + "".join(loop_call(prefix, loop) for loop in loops)
        return reset + _one_shot(prefix, body, outputs)
    upper, (image,) = prefix.upper(), plan.net.graph.passed_inputs
    before = "".join(loop_call(prefix, loop) for loop in loops if loop < destination.loop)
    before = before and "    const void *const *inputs = NULL;\n" + before
    after = "".join(loop_call(prefix, loop) for loop in loops if loop > destination.loop)
    row = f"{upper}_ROW_BYTES"
    return f"""{_static_arena(prefix)}{reset}
int {prefix}_begin({prefix} *model, uint8_t *arena, size_t arena_bytes)
{{
#ifdef EV_STATIC_ARENA
    if (arena == NULL) {{
        arena = {prefix}_arena;
        arena_bytes = sizeof({prefix}_arena);
    }}
#endif
    if (arena == NULL || arena_bytes < {upper}_ARENA_BYTES || (uintptr_t)arena % 16u != 0)
        return EV_ERROR_ARENA;
{check}    memset(model, 0, sizeof(*model));
    model->arena = arena;
{before}    EV_FETCH({destination.loop});
    EV_POISON({destination.loop});
    model->state = {RECEIVING:#x}u;
    return EV_OK;
}}

int {prefix}_push_rows({prefix} *model, const void *rows, uint32_t count)
{{
    if (model->state != {RECEIVING:#x}u)
        return EV_ERROR_ORDER;
    if (count > ({image.bytes}u - model->received) / {row})
        return EV_ERROR_ROWS;
    const uint8_t *from = rows;
    const uint32_t end = model->received + count * {row};
    while (model->received != end) {{
        const uint32_t at = model->received, whole = {destination.unit}u - at % {destination.unit}u;
        const uint32_t taken = end - at < whole ? end - at : whole;
        if (model->step < {destination.steps}u)
            memcpy(model->arena + {destination.place}, from, taken);
        from += taken;
        model->received += taken;
        if (taken == whole || model->received == {image.bytes}u)
            {prefix}_loop_{destination.loop}(model, (model->received + {destination.unit - 1}u) / {destination.unit}u);
    }}
    return EV_OK;
}}

int {prefix}_finish({prefix} *model, void *const *outputs)
{{
{ready_check(plan, prefix)}    EV_INTACT({destination.loop});
{after}{outputs}    return EV_OK;
}}

int {prefix}_run(const void *const *inputs, void *const *outputs, uint8_t *arena)
{{
    {prefix} model;
    int status = {prefix}_begin(&model, arena, {upper}_ARENA_BYTES);
    if (status == EV_OK)
        status = {prefix}_push_rows(&model, inputs[0], {upper}_ROWS);
    return status == EV_OK ? {prefix}_finish(&model, outputs) : status;
}}
"""


def _reset_state(plan: Schedule, prefix: str) -> str:
    """Return the function that sets the states to their first values; nothing for a network without."""
    graph, offsets = plan.net.graph, plan.offsets
    states = graph.state_inputs
    if not states:
        return ""
    firsts = list(zip(states, graph.initial, strict=True))
    arrays = [_first_array(k, first) for k, (_, first) in enumerate(firsts) if not _is_even(first)]
    lines = [
        _set_first(k, state, first, offsets[state.name]) for k, (state, first) in enumerate(firsts)
    ]
    static = (
        f"#ifdef EV_STATIC_ARENA\n    if (arena == NULL)\n        arena = {prefix}_arena;\n#endif\n"
        if row_destination(plan)
        else ""
    )
    return (
        f"\n{''.join(arrays)}int {prefix}_reset_state(uint8_t *arena)\n{{\n{static}"
        "    if (arena == NULL || (uintptr_t)arena % 16u != 0)\n        return EV_ERROR_ARENA;\n"
        f"    const uint32_t mark = {STATES:#x}u;\n    memcpy(arena + {offsets[STATE_MARK]}u, &mark, sizeof mark);\n"
        + "".join(lines)
        + "    return EV_OK;\n}\n"
    )


def _is_even(first: np.ndarray) -> bool:
    """Check for bytes that are all one, which take no array."""
    return len(set(first.tobytes())) == 1


def _set_first(number: int, state: Value, first: np.ndarray, offset: int) -> str:
    if _is_even(first):
        return f"    memset(arena + {offset}u, {first.tobytes()[0]}, {state.bytes}u);\n"
    return (
        f"    memcpy(arena + {offset}u, initial_state_{number}, sizeof initial_state_{number});\n"
    )


def _first_array(number: int, first: np.ndarray) -> str:
    numbers = ", ".join(map(str, first.ravel().tolist()))
    return f"static const {first.dtype}_t initial_state_{number}[{first.size}] = {{{numbers}}};\n"


def _state_check(plan: Schedule) -> str:
    """Return the lines that refuse a call whose states are not there."""
    if not plan.net.graph.states:
        return ""
    return (
        f"    uint32_t mark;\n    memcpy(&mark, arena + {plan.offsets[STATE_MARK]}u, sizeof mark);\n"
        f"    if (mark != {STATES:#x}u)\n        return EV_ERROR_ORDER;\n"
    )


def _one_shot(prefix: str, loops: str, outputs: str) -> str:
    return (
        f"\nint {prefix}_run(const void *const *inputs, void *const *outputs, uint8_t *arena)\n"
        f"{{\n    (void)inputs;\n    (void)arena;\n{loops}{outputs}    return EV_OK;\n}}\n"
    )


def _static_arena(prefix: str) -> str:
    return (
        "#ifdef EV_STATIC_ARENA\n"
        f"static uint8_t {prefix}_arena[{prefix.upper()}_ARENA_BYTES] __attribute__((aligned(16)));\n"
        "#endif\n"
    )


def tracing(prefix: str, layers: Sequence[str]) -> str:
    """Return the trace macro that the functions of layers call; it is empty unless enabled."""
    names = ", ".join(map(c_string, layers)) or "0"
    return f"""#ifdef {prefix.upper()}_TRACE
const char *const {prefix}_layers[] = {{{names}}};
#define EV_TRACE(layer, after) {prefix}_trace(layer, after)
#else
#define EV_TRACE(layer, after) ((void)0)
#endif
"""


def fetching(prefix: str, pages: Sequence[tuple[int, int]]) -> str:
    """Return the macro that reads weights before each loop.

    It is empty unless the program reads the weights itself.
    """
    if not pages:
        return "#define EV_FETCH(loop) ((void)0)\n"
    rows = ", ".join(f"{{{start}, {size}}}" for start, size in pages)
    return f"""static const uint32_t {prefix}_pages[][2] = {{{rows}}}; /* of the weights: start, bytes */
#define EV_FETCH(loop) \\
    if ({prefix}_pages[loop][1] && \\
        {prefix}_read_weights({prefix}_pages[loop][0], {prefix}_weights, {prefix}_pages[loop][1])) \\
    return EV_ERROR_WEIGHTS
"""


def debugging(plan: Schedule, prefix: str) -> str:
    """Return the debug checks of unused bytes: filled before each loop, and compared after it."""
    rows = [
        f"{{{loop}, {start}, {end}}}"
        for loop in range(len(plan.walks))
        for start, end in free_bytes(plan, loop)
    ]
    return f"""#ifdef {prefix.upper()}_DEBUG
static const uint32_t {prefix}_free[][3] = {{{", ".join(rows)}}}; /* loop, from, to */
static int {prefix}_intact(uint8_t *arena, uint32_t loop, int fill)
{{
    for (size_t i = 0; i < sizeof({prefix}_free) / sizeof({prefix}_free[0]); i++) {{
        const uint32_t *const row = {prefix}_free[i];
        for (uint32_t at = row[1]; row[0] == loop && at < row[2]; at++) {{
            if (fill)
                arena[at] = 0xA5;
            else if (arena[at] != 0xA5)
                return 0;
        }}
    }}
    return 1;
}}
#define EV_POISON(loop) (void){prefix}_intact(arena, loop, 1)
#define EV_INTACT(loop)                     \\
    if (!{prefix}_intact(arena, loop, 0)) \\
    return EV_ERROR_OVERWRITTEN
#else
#define EV_POISON(loop) ((void)0)
#define EV_INTACT(loop) ((void)0)
#endif
"""


def free_bytes(plan: Schedule, loop: int) -> list[tuple[int, int]]:
    """Return the free ranges of the arena in a loop; the canary after it is always free."""
    alive = sorted((b.offset, b.end) for b in plan.buffers if b.first <= loop <= b.last)
    free, position = [], 0
    for start, end in [*alive, (plan.size + CANARY, plan.size + CANARY)]:
        if start > position:
            free.append((position, start))
        position = max(position, end)
    return free
