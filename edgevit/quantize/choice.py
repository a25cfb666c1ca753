"""What the trials of one format chose, for the other formats that put the same integers in the same program."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch.fx.node import Node

from edgevit.graph.program import Program
from edgevit.quantize.encoding import Grid
from edgevit.quantize.held_out import HeldOut
from edgevit.quantize.known_values import KnownValues
from edgevit.quantize.noise_report import NoiseReport
from edgevit.quantize.placement import IntegerPlacement
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.trial import EarlierWay
from edgevit.quantize.weights import RoundedWeight


@dataclass(frozen=True)
class Question:
    """All that a choice depends on, but for the calibration inputs."""

    program: str  # hash
    arithmetic: QuantScheme
    calls: tuple[str, ...]
    stored: tuple[str, ...]
    carried: Mapping[str, str]
    copied: Mapping[str, tuple[str, ...]]
    compensates: bool

    @classmethod
    def of(
        cls, program: Program, scheme: QuantScheme, placement: IntegerPlacement, compensates: bool
    ) -> Question:
        return cls(
            content_hash(program),
            _arithmetic(scheme),
            _names(placement.calls),
            _names(placement.stored),
            {moved.name: stored.name for moved, stored in placement.carried.items()},
            {read.name: _names(readers) for read, readers in placement.copied.items()},
            compensates,
        )


@dataclass(frozen=True)
class IntegerChoice:
    """Encodings and weights by the names of nodes, and what the simulation made of them."""

    encodings: Mapping[str, Grid]
    weights: Mapping[str, RoundedWeight]
    held_out: tuple[HeldOut, ...]
    report: NoiseReport
    types: Mapping[str, str]  # of calls that have another than the scheme's


def content_hash(program: Program) -> str:
    """Return the hash of graph and weights."""
    digest = hashlib.blake2b()
    for node in program.graph.nodes:
        digest.update(f"{node} {node.op} {node.target} {node.args} {node.kwargs}\n".encode())
    for name, tensor in sorted(program.constants.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _arithmetic(scheme: QuantScheme) -> QuantScheme:
    """Return the scheme without what only places integers, or writes them down."""
    return replace(
        scheme,
        integer=frozenset[str](),
        between=frozenset[str](),
        clamps=None,
        unrounded=frozenset[str](),
        objection=None,
        moves=True,
        float_stream=False,
        folded=False,
        from_float=False,
        read_apart=False,
        fenced=False,
    )


def _signed(scheme: QuantScheme) -> QuantScheme:
    """Return the arithmetic of a scheme: bytes with and without a sign hold the same numbers."""
    return replace(_arithmetic(scheme), activations=scheme.activations.removeprefix("u"))


def _bits(scheme: QuantScheme) -> tuple[object, ...]:
    of_weights = scheme.weight_bits, scheme.block, scheme.palette
    return scheme.activations.removeprefix("u"), bool(scheme.dynamic), *of_weights


def _names(nodes: tuple[Node, ...]) -> tuple[str, ...]:
    return tuple(node.name for node in nodes)


class EarlierChoices:
    """Choices that one set of calibration inputs has led to."""

    def __init__(self) -> None:
        self._answers: list[tuple[Question, IntegerChoice]] = []
        self._streams: list[tuple[Sequence[Question], bool]] = []
        self._ways: list[tuple[QuantScheme, EarlierWay]] = []
        self.known_values = KnownValues()

    def answer(self, question: Question) -> IntegerChoice | None:
        return next((choice for asked, choice in self._answers if asked == question), None)

    def add(self, question: Question, choice: IntegerChoice) -> None:
        self._answers.append((question, choice))

    def way(self, scheme: QuantScheme) -> EarlierWay | None:
        """Return the way that was best for the last format with the same arithmetic, wherever its integers stand.

        Otherwise that for the last one with integers of the same bits.
        """
        same = [way for earlier, way in self._ways if _signed(earlier) == _signed(scheme)]
        alike = [way for earlier, way in self._ways if _bits(earlier) == _bits(scheme)]
        return next(reversed(same or alike), None)

    def add_way(self, scheme: QuantScheme, way: EarlierWay) -> None:
        self._ways.append((scheme, way))

    def keeps_stream_in_floats(self, asked: Sequence[Question], judge: Callable[[], bool]) -> bool:
        """Return whether floats are worth it for the residual stream; `judge` is called for new questions alone."""
        for earlier, worth in self._streams:
            if earlier == asked:
                return worth
        worth = judge()
        self._streams.append((asked, worth))
        return worth
