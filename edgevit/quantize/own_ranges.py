"""Ranges of single values, observed anew: where one way to choose all of them leaves too much noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch.fx.node import Node

from edgevit.graph.program import Inputs, Program
from edgevit.quantize.encoding import Grid
from edgevit.quantize.observers import Observer, Ordered, RangeSource
from edgevit.quantize.ranges import Several
from edgevit.quantize.recording import record
from edgevit.quantize.sensitivity import NO_COPIES, Copied, gradients
from edgevit.quantize.value_ranges import CHOICES, RangeChoice, Wider, choose_ranges

_BACKWARD = 8  # runs that gradients are taken of

Ranges = Mapping[Node, RangeSource]


def own_ranges(
    program: Program,
    usual: Mapping[Node, Observer],
    grids_of: Callable[[Ranges], Mapping[Node, Grid]],
    fitted: Sequence[Inputs],
    judges: Sequence[Inputs],
) -> Ranges:
    """Return for each value the range that costs the outputs least on `judges`; the usual one where none is judged.

    `grids_of` gives the encodings that ranges make.
    """
    nodes = [node for node, observer in usual.items() if not isinstance(observer, Ordered)]
    names = dict.fromkeys(choice.ranges for choice in CHOICES)
    observers = record(program, nodes, fitted, lambda: Several(names), covariance=False).observers
    observe_gradients(program, observers, fitted)

    def by(choices: Mapping[str, RangeChoice]) -> Ranges:
        own = {node: choices[node.name] for node in nodes if node.name in choices}
        wider = {node: Wider(of_way(observers[node], c.ranges), c.room) for node, c in own.items()}
        return {**usual, **wider}

    grids = {choice: grids_of(by({node.name: choice for node in nodes})) for choice in CHOICES}
    return by(choose_ranges(program, grids, {}, judges, NO_COPIES))


def observe_gradients(
    program: Program,
    observers: Mapping[Node, Observer],
    runs: Sequence[Inputs],
    copied: Copied = NO_COPIES,
) -> None:
    """Observe values of the first runs for the ranges that weigh errors by what they do to the outputs."""
    by_name = {node.name: observer for node, observer in observers.items()}
    for values in gradients(program, by_name, runs[:_BACKWARD], copied):
        for name, (value, gradient) in values.items():
            observer = by_name[name]
            assert isinstance(observer, Several)
            for numbers, slopes in zip(value.numpy(), gradient.numpy(), strict=True):
                observer.observe_gradient(numbers, slopes)


def of_way(observer: Observer, name: str) -> Observer:
    """Return one of the several ways that a value was observed in."""
    assert isinstance(observer, Several)
    return observer.chosen(name)
