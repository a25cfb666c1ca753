"""Runs an ordered list of rules over a program and proves every one that fired."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from edgevit.errors import Drift, InternalError
from edgevit.graph.cost import stats
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program, origin
from edgevit.graph.text import graph_text
from edgevit.parity import SAME, Distance, distance
from edgevit.rewrites.report import Refusal, RewriteReport, RuleReport
from edgevit.rewrites.rule import AnyRule, Refused

Tensors = tuple[torch.Tensor, ...]
_MAX_PASSES = 50  # a rule that still fires after this many passes undoes its own work


def run(
    program: Program, rules: Sequence[AnyRule], progress: Callable[[str], None] = lambda _: None
) -> tuple[Program, RewriteReport]:
    first = previous = program.run()
    before = stats(program)
    reports = []
    for rule in rules:
        progress(rule.name)
        started = time.perf_counter()
        candidate, places, refusals = apply(rule, program)
        error = SAME
        if places:
            outputs = _run_or_blame(candidate, rule)
            error = prove(rule, (program, previous), (candidate, outputs), places)
            program, previous = candidate, outputs
        reports.append(
            RuleReport(
                rule.name,
                places,
                refusals,
                error.max_abs,
                error.rel_l2,
                time.perf_counter() - started,
            )
        )
    total = distance(first, previous)
    return program, RewriteReport(
        before, stats(program), tuple(reports), total.max_abs, total.rel_l2
    )


def apply(rule: AnyRule, program: Program) -> tuple[Program, tuple[str, ...], tuple[Refusal, ...]]:
    """The rule's fixed point: the new program, the places it fired at, and the ones it declined."""
    draft = Draft(program)
    places: list[str] = []
    for _ in range(_MAX_PASSES):
        fired, refused = _one_pass(rule, draft)
        places += fired
        if not fired:
            return (
                (draft.program() if places else program),
                tuple(places),
                tuple(dict.fromkeys(refused)),
            )
    raise _bug(f"rule `{rule.name}` does not come to an end", draft.program(), rule)


def _one_pass(rule: AnyRule, draft: Draft) -> tuple[list[str], list[Refusal]]:
    fired: list[str] = []
    refused: list[Refusal] = []
    nodes = list(draft.graph.nodes)
    for node in reversed(nodes) if rule.backward else nodes:
        if node._erased:
            continue
        match = rule.match(node, draft)
        if match is None:
            continue
        try:
            rule.check(match, draft)
            edit = Edit(draft, rule.name, match.node, rule.replaces(match))
            edit.replace(match.node, rule.rewrite(match, edit))
            fired.append(origin(node).place)
        except Refused as refusal:
            refused.append(Refusal(origin(node).place, refusal.reason))
        except Exception as error:
            raise _bug(
                f"rule `{rule.name}` failed at {node}: {error}", draft.program(), rule
            ) from error
    return fired, refused


def prove(
    rule: AnyRule,
    before: tuple[Program, Tensors],
    after: tuple[Program, Tensors],
    places: Sequence[str],
) -> Distance:
    """The distance between the two outputs. What a net that amplifies rounding may blur is asked again in float64."""
    error = distance(before[1], after[1])
    if error.rel_l2 > rule.rtol and rule.rtol:
        error = distance(before[0].in_float64().run(), after[0].in_float64().run())
    if error.rel_l2 > rule.rtol:
        raise Drift(
            f"rule `{rule.name}` changed what the model computes",
            where=places[0]
            if len(places) == 1
            else f"{len(places)} places, the first: {places[0]}",
            why=f"relative L2 {error.rel_l2:.3g} on the example inputs, and the rule promises {rule.rtol:.3g}",
            hint=f"export with `--without {rule.name}`, and tell us: this is our bug",
        )
    return error


def _run_or_blame(candidate: Program, rule: AnyRule) -> Tensors:
    try:
        return candidate.run()
    except Exception as error:
        raise _bug(
            f"after rule `{rule.name}` the graph does not run: {error}", candidate, rule
        ) from error


def _bug(message: str, program: Program, rule: AnyRule) -> InternalError:
    path = Path(f"edgevit-bug-{rule.name}.txt")
    path.write_text(graph_text(program))
    return InternalError(
        message,
        why="this is our bug",
        hint=f"send us {path}, and export with `--without {rule.name}`",
    )
