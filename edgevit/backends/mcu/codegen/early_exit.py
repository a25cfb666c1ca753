"""C calls that stop at the first exit that is sure: the loops of an exit, its check, the loops of the next."""

from __future__ import annotations

from collections.abc import Sequence

from edgevit.backends.mcu.codegen.loop_calls import loop_call, ready_check, row_destination
from edgevit.backends.mcu.kernels.card import KernelCall
from edgevit.backends.mcu.schedule.plan import Schedule
from edgevit.errors import UsageError
from edgevit.graph.program import Program, shape
from edgevit.integer import ExitCheck, IntegerGraph

EXIT_SOURCE = "exit/ev_exit_s8.c"


def require_exits(program: Program) -> None:
    """Refuse a model that does not return the logits of several exits."""
    shapes = [shape(node) for node in program.outputs()]
    if len(shapes) < 2 or len(set(shapes)) > 1:
        listed = ", ".join("x".join(map(str, one)) for one in shapes)
        raise UsageError(
            "the model has no exits",
            where="--exits",
            why=f"it returns {listed}",
            hint="let `forward` return the logits of every exit, 1 x classes each, the last one last",
        )


def exit_call(check: ExitCheck) -> KernelCall:
    return KernelCall("ev_exit_s8", "ev_exit", {"length": check.length, "table": check.table}, ())


def early_declarations(prefix: str, graph: IntegerGraph, streams: bool) -> list[str]:
    """Return the lines of the header."""
    upper, (value, *_) = prefix.upper(), graph.outputs
    finish = [
        f"int {prefix}_finish_early({prefix} *model, void *logits, const uint32_t *most, uint32_t *taken);",
    ]
    return [
        f"#define {upper}_EXITS {len(graph.outputs)}u",
        f"#define {upper}_LOGITS_BYTES {value.bytes}u",
        "",
        "/* Stops at the first exit whose largest softmax is at least 65535 / most[exit], writes its logits, which are those",
        f"   of `outputs[exit]`, and its number, from 0. `most` is {len(graph.outputs) - 1} long: 0 never stops. What comes after is not computed. */",
        *(finish if streams else []),
        f"int {prefix}_run_early(const void *const *inputs, void *logits, uint8_t *arena, const uint32_t *most, uint32_t *taken);",
        "",
    ]


def early_calls(plan: Schedule, prefix: str, places: Sequence[str], checks: Sequence[str]) -> str:
    """Return the functions; `places` of all outputs, `checks` the parameters of all but the last."""
    if not checks:
        return ""
    destination = row_destination(plan)
    first = 0 if destination is None else destination.loop + 1
    ends = [max(_loop_of(plan, output.name), first - 1) for output in plan.net.graph.outputs]
    ends = [max(ends[: k + 1]) for k in range(len(ends))]
    size = plan.net.graph.outputs[0].bytes
    body = ""
    for number, (end, place) in enumerate(zip(ends, places, strict=True)):
        body += "".join(loop_call(prefix, loop) for loop in range(first, end + 1))
        first = max(first, end + 1)
        leave = f"memcpy(logits, {place}, {size}u);\n", f"*taken = {number}u;\n", "return EV_OK;\n"
        if number == len(checks):
            body += "".join(f"    {line}" for line in leave)
            continue
        body += f"    if (ev_exit_s8(&{checks[number]}, (const int8_t *)({place}), most[{number}])) {{\n"
        body += "".join(f"        {line}" for line in leave) + "    }\n"
    arguments = "void *logits, {arena}const uint32_t *most, uint32_t *taken"
    run = f"int {prefix}_run_early(const void *const *inputs, {arguments.format(arena='uint8_t *arena, ')})"
    if destination is None:
        return f"{run}\n{{\n    (void)inputs;\n    (void)arena;\n{body}}}\n"
    return f"""int {prefix}_finish_early({prefix} *model, {arguments.format(arena="")})
{{
{ready_check(plan, prefix)}    EV_INTACT({destination.loop});
{body}}}

{run}
{{
    {prefix} model;
    int status = {prefix}_begin(&model, arena, {prefix.upper()}_ARENA_BYTES);
    if (status == EV_OK)
        status = {prefix}_push_rows(&model, inputs[0], {prefix.upper()}_ROWS);
    return status == EV_OK ? {prefix}_finish_early(&model, logits, most, taken) : status;
}}
"""


def _loop_of(plan: Schedule, name: str) -> int:
    """Return the loop that makes an output; -1 for one that is not computed."""
    storage = plan.net.storage[name].name
    return next((k for k, loop in enumerate(plan.loops) if storage in loop.kept), -1)
