"""Run an ordered list of rules over a program and verify every one that fired."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from edgevit.errors import CaptureError, InternalError, ParityError
from edgevit.graph.aten import op
from edgevit.graph.cost import GraphStats, stats
from edgevit.graph.edit import Draft, Edit, EditTooLargeError
from edgevit.graph.parity import FP32, SAME, Distance, distance
from edgevit.graph.program import Program, origin
from edgevit.graph.text import graph_text
from edgevit.rewrites.foreign import is_foreign, not_idempotent, require_order
from edgevit.rewrites.report import Refusal, RewriteReport, RuleReport
from edgevit.rewrites.rule import AnyRule, Refused
from edgevit.support.bug_report import attach_report

Tensors = tuple[torch.Tensor, ...]
_MAX_PASSES = 50  # a rule that still fires after this many passes undoes its own work


@dataclass(frozen=True)
class State:
    """A program as the first few rules leave it, what it computes, and what they did."""

    program: Program
    outputs: Tensors
    figures: GraphStats
    reports: tuple[RuleReport, ...]


States = dict[tuple[AnyRule, ...], State]


def run(
    program: Program,
    rules: Sequence[AnyRule],
    progress: Callable[[str], None] = lambda _: None,
    states: States | None = None,
) -> tuple[Program, RewriteReport]:
    """`states` is filled with the state after each rule, and spares the rules that an earlier run of the same program
    began with."""
    if any(map(is_foreign, rules)):
        require_order(rules)
    states = {} if states is None else states
    if () not in states:
        states[()] = State(program, _first_run(program), stats(program), ())
    first = state = states[()]
    draft = None
    for count, rule in enumerate(rules, 1):
        key = tuple(rules[:count])
        if key in states:
            state, draft = states[key], None
            continue
        progress(rule.name)
        draft = draft or Draft(state.program)
        state = states[key] = _after(rule, state, draft)
        if state.reports[-1].fired or state.reports[-1].refused:
            draft = None  # one that a rule has found nothing in is as good as new
    for rule, report in zip(rules, state.reports, strict=True):
        if report.fired and is_foreign(rule) and apply(rule, state.program)[1]:
            raise not_idempotent(rule)
    total = distance(first.outputs, state.outputs)
    return state.program, RewriteReport(
        first.figures, state.figures, state.reports, total.max_abs, total.rel_l2
    )


def _first_run(program: Program) -> Tensors:
    """No rule has been here: a graph that does not run is not what torch took for the model."""
    try:
        return program.run()
    except Exception as error:
        executing = re.search(r"While executing %(\w+)", str(error))
        node = executing and next((n for n in program.calls() if n.name == executing[1]), None)
        raise CaptureError(
            "the captured graph does not run" + (f": it stops at `{op(node)}`" if node else ""),
            where=str(origin(node)) if node else "",
            why=str(error).strip().partition("\n")[0][:400],
            hint="write this line with other ops: `torch.export` does not see all that it does",
        ) from error


def _after(rule: AnyRule, state: State, draft: Draft) -> State:
    """`draft` is of the state's program."""
    started = time.perf_counter()
    program, outputs, figures = state.program, state.outputs, state.figures
    places, refusals = _applied(rule, draft)
    error = SAME
    if places:
        candidate = draft.program()
        results = run_or_blame(candidate, rule.name)
        try:
            error = verified(rule, (program, outputs), (candidate, results), places)
            program, outputs, figures = candidate, results, stats(candidate)
        except ParityError as changed:
            if not rule.assumes:
                raise
            why = f"it assumes that {rule.assumes}: {changed.why}"
            places, refusals = (), (*refusals, *(Refusal(place, why) for place in places))
    seconds = time.perf_counter() - started
    report = RuleReport(
        rule.name, places, refusals, error.max_abs, error.rel_l2, seconds, state.figures, figures
    )
    return State(program, outputs, figures, (*state.reports, report))


def apply(rule: AnyRule, program: Program) -> tuple[Program, tuple[str, ...], tuple[Refusal, ...]]:
    """Return the rule's fixed point: the new program, the places where it fired, and those it refused."""
    draft = Draft(program)
    places, refusals = _applied(rule, draft)
    return (draft.program() if places else program), places, refusals


def _applied(rule: AnyRule, draft: Draft) -> tuple[tuple[str, ...], tuple[Refusal, ...]]:
    places: list[str] = []
    for _ in range(_MAX_PASSES):
        fired, refused = _one_pass(rule, draft)
        places += fired
        if not fired:
            return tuple(places), tuple(dict.fromkeys(refused))
    raise _bug(f"rule `{rule.name}` does not come to an end", draft.program(), rule.name)


def _one_pass(rule: AnyRule, draft: Draft) -> tuple[list[str], list[Refusal]]:
    fired: list[str] = []
    refused: list[Refusal] = []
    nodes = list(draft.graph.nodes)
    for node in reversed(nodes) if rule.backward else nodes:
        if node._erased:
            continue
        try:
            match = rule.match(node, draft)
            if match is None:
                continue
            rule.check(match, draft)
            edit = Edit(draft, rule.name, match.node, rule.replaces(match))
            edit.replace(match.node, rule.rewrite(match, edit))
            fired.append(origin(node).place)
        except Refused as refusal:
            refused.append(Refusal(origin(node).place, refusal.reason))
        except EditTooLargeError as refusal:
            draft.drop_dead()  # what the rule had begun
            refused.append(Refusal(origin(node).place, str(refusal)))
        except Exception as error:
            raise _bug(
                f"rule `{rule.name}` failed at {node}: {error}", draft.program(), rule.name
            ) from error
    return fired, refused


def verified(
    rule: AnyRule,
    before: tuple[Program, Tensors],
    after: tuple[Program, Tensors],
    places: Sequence[str],
) -> Distance:
    """Return the distance between both outputs, in float64 where a net amplifies float32 rounding; raise `ParityError`.

    A constant of a rule is rounded once. Where the net amplifies that, it amplifies its own rounding too: no rule is
    judged tighter than the net itself is computed in float32.
    """
    error, bound = distance(before[1], after[1]), rule.rtol
    if error.rel_l2 > bound and rule.rtol:
        exact = before[0].in_float64().run()
        error = distance(exact, after[0].in_float64().run())
        noise = distance(exact, before[1]).rel_l2
        bound = max(bound, min(noise, FP32.max_rel_l2))
    if not error.rel_l2 <= bound:
        raise ParityError(
            f"rule `{rule.name}` changed what the model computes",
            where=places[0]
            if len(places) == 1
            else f"{len(places)} places, the first: {places[0]}",
            why=f"relative L2 {error.rel_l2:.3g} on the example inputs, and the rule promises {bound:.3g}",
            hint=f"export with `--without {rule.name}`",
        )
    return error


def run_or_blame(candidate: Program, rule: str) -> Tensors:
    try:
        return candidate.run()
    except Exception as error:
        raise _bug(
            f"after rule `{rule}` the graph does not run: {error}", candidate, rule
        ) from error


def _bug(message: str, program: Program, rule: str) -> InternalError:
    error = InternalError(
        message,
        where=f"rule `{rule}`",
        why="the rule is wrong",
        hint=f"export without it (`--without {rule}`, or not in `--lossy`)",
        details=graph_text(program),
    )
    attach_report(error)
    return error
