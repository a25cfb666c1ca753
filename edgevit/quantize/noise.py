"""Signal-to-noise ratio of a quantised program against the float program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log10
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.program import Inputs, Outputs, Program, origin, value
from edgevit.quantize.op_traits import is_real
from edgevit.quantize.recording import run_looking

_NUMBERS = 2**25  # in the values of the runs that are compared at once
_MOST = 999.0  # dB, where nothing differs


def decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return _MOST
    return 10 * log10(signal / noise) if signal and noise < inf else -_MOST


def snr(expected: Sequence[Outputs], actual: Sequence[Outputs]) -> float:
    """Return the ratio in dB over all runs, of the worst output."""
    return min(
        decibels(*_sums(reference, noisy))
        for reference, noisy in zip(
            zip(*expected, strict=True), zip(*actual, strict=True), strict=True
        )
    )


def _sums(expected: Sequence[torch.Tensor], actual: Sequence[torch.Tensor]) -> tuple[float, float]:
    pairs = [(a.double(), b.double()) for a, b in zip(expected, actual, strict=True)]
    signal = sum(float(a.square().sum()) for a, _ in pairs)
    noise = sum(float((a - b).square().sum()) for a, b in pairs)
    return signal, noise if noise == noise else inf


@dataclass(frozen=True)
class ValueNoise:
    """Noise of one value, with the user's module and line."""

    call: str
    kind: str
    module: str
    source: str
    snr: float  # dB
    before: float  # dB, of the noisiest value that it reads

    @property
    def added(self) -> float:
        """Noise that the call itself adds, relative to the signal."""
        return max(0.0, 10 ** (-self.snr / 10) - 10 ** (-self.before / 10))

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "snr": round(self.snr, 2), "before": round(self.before, 2)}


def costliest(values: Sequence[ValueNoise]) -> list[ValueNoise]:
    """Return the values whose calls add noise, those that add most first."""
    return sorted((one for one in values if one.added), key=lambda one: -one.added)


def waterfall(
    float_program: Program, simulation: Program, runs: Sequence[Inputs]
) -> tuple[ValueNoise, ...]:
    """Compare every value that both programs compute, in the order of the graph."""
    shared = {node.name for node in simulation.calls()}
    nodes = [node for node in float_program.calls() if node.name in shared and is_real(node)]
    sums = {node.name: [0.0, 0.0] for node in nodes}
    count = max(1, _NUMBERS // max(1, sum(value(node).numel() for node in nodes)))
    for start in range(0, len(runs), count):
        some = runs[start : start + count]
        reference, noisy = (_values(one, some, sums) for one in (float_program, simulation))
        for name, pair in sums.items():
            signal, noise = _sums(reference[name], noisy[name])
            pair[0] += signal
            pair[1] += noise
    ratios = {name: decibels(*pair) for name, pair in sums.items()}
    return tuple(_named(node, ratios) for node in nodes)


def _values(
    program: Program, runs: Sequence[Inputs], names: Iterable[str]
) -> dict[str, list[torch.Tensor]]:
    """Return the values of all runs by their names."""
    values: dict[str, list[torch.Tensor]] = {name: [] for name in names}

    def look(node: Node, result: Any) -> None:
        values[node.name].append(result)

    run_looking(program, runs, look, values)
    return values


def _read(node: Node, ratios: Mapping[str, float]) -> Iterator[float]:
    """Yield the ratios of the values that a call reads, through those that have none: tuples."""
    for source in node.all_input_nodes:
        if source.name in ratios:
            yield ratios[source.name]
        else:
            yield from _read(source, ratios)


def _named(node: Node, ratios: Mapping[str, float]) -> ValueNoise:
    its = origin(node)
    before = min(_read(node, ratios), default=_MOST)
    return ValueNoise(
        node.name, kind(node), its.module, its.source, ratios[node.name], min(before, _MOST)
    )
