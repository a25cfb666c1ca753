"""Options without effect on a model: each form's graph is built unverified, and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgevit.backends import backend_for
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.rewrites import engine
from edgevit.rewrites.lossy.parser import parse_lossy
from edgevit.rewrites.lossy.run import apply_lossy
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import formed
from edgevit.support.choice import Choice
from edgevit.targets import Target

Inert = Mapping[str, Sequence[tuple[str, str]]]  # format -> choice and option


def no_effect_options(
    program: Program,
    target: Target,
    formats: Sequence[str],
    progress: Callable[[str], None] = lambda _: None,
    lossy: Sequence[Choice] = (),
) -> dict[str, list[tuple[str, str]]]:
    """Return the options by format whose graph, all else at its default, equals the default's.

    `lossy`: choices of lossy steps; those that find no place in the program have no effect.
    """
    placeless = [
        (choice.name, option)
        for choice in lossy
        for option in choice.options
        if option != choice.default and not _finds_places(program, option)
    ]
    programs: dict[tuple[AnyRule, ...], Program] = {(): program}
    pairs: dict[str, list[tuple[str, str]]] = {}
    for format in formats:
        backend = backend_for(format, target)
        progress(f"what changes nothing in {format}")
        plain = graph_text(_rewritten(backend.rules, programs))
        pairs[format] = placeless + [
            (form.choice.name, option)
            for form in backend.forms
            for option in form.turns
            if graph_text(
                _rewritten(
                    formed(backend.rules, backend.forms, {form.choice.name: option}), programs
                )
            )
            == plain
        ]
    return pairs


def _finds_places(program: Program, option: str) -> bool:
    return any(step.places for step in apply_lossy(program, parse_lossy(option)).steps)


def _rewritten(rules: Sequence[AnyRule], programs: dict[tuple[AnyRule, ...], Program]) -> Program:
    """Apply the rules in order, reusing the results of common prefixes of rule lists."""
    for count in range(1, len(rules) + 1):
        key = tuple(rules[:count])
        if key not in programs:
            programs[key] = engine.apply(rules[count - 1], programs[key[:-1]])[0]
    return programs[tuple(rules)]
