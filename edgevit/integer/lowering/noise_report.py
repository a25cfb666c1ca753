"""Signal-to-quantisation-noise ratio of every integer value against the float program's value."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Any

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.program import Inputs, Program, origin
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.quantized import Quantized, QuantReport, ValueReport
from edgevit.integer.simulate import simulate
from edgevit.quantize import Look, run_looking

_MOST = 999.0  # dB; where nothing at all differs


class _Tally:
    def __init__(self) -> None:
        self.signal, self.noise, self.ends, self.count = 0.0, 0.0, 0, 0

    def add(self, tensor: QuantTensor, integers: np.ndarray, expected: np.ndarray) -> None:
        actual = tensor.dequantized(integers)
        finite = np.isfinite(expected)
        self.signal += float((expected[finite] ** 2).sum())
        self.noise += float(((actual - expected)[finite] ** 2).sum())
        zero, limits = tensor.grid.zero, np.iinfo(integers.dtype)
        for end in {int(limits.min), int(limits.max)} - {zero}:
            self.ends += int((integers == end).sum())
        self.count += integers.size

    @property
    def decibels(self) -> float:
        if self.noise == 0:
            return _MOST
        return 10 * log10(self.signal / self.noise) if self.signal else -_MOST


def compared(
    quantized: Quantized,
    values: dict[Node, QuantTensor],
    program: Program,
    inputs: Sequence[Inputs],
) -> QuantReport:
    tallies = {node: _Tally() for node in values}
    for example in inputs:
        integers = simulate(quantized.graph, quantized.quantized(example))
        run_looking(program, [example], _tallying(integers, values, tallies))
    return QuantReport(
        tuple(
            _value(node, tensor, tallies[node])
            for node, tensor in values.items()
            if tallies[node].count
        )
    )


def _tallying(
    integers: dict[str, np.ndarray], values: dict[Node, QuantTensor], tallies: dict[Node, _Tally]
) -> Look:
    by_name = {node.name: node for node in values}

    def look(seen: Node, result: Any) -> None:
        node = by_name.get(seen.name)
        if node is not None and values[node].value.name in integers:
            tensor = values[node]
            tallies[node].add(tensor, integers[tensor.value.name], result.double().numpy())

    return look


def _value(node: Node, tensor: QuantTensor, tally: _Tally) -> ValueReport:
    return ValueReport(
        node.name,
        kind(node) or "input",
        origin(node).module,
        origin(node).source,
        tally.decibels,
        tensor.grid.scale,
        tensor.value.dtype,
        tally.ends / tally.count,
    )
