"""Quantisation scheme: how a runtime computes in integers, as data that its backend declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from torch.fx.node import Node

from edgevit.graph.program import Program
from edgevit.quantize.encoding import Grid

# Why a runtime does not compute one call in integers, or None where it does.
Objection = Callable[[Node, Program], str | None]


@dataclass(frozen=True)
class QuantScheme:
    """Integer arithmetic of one runtime at one precision.

    A call in `integer` reads and stores integers wherever it stands. A call in `between` does so
    where every call around it does: alone among float calls its rounding would buy nothing.
    """

    activations: str = "int8"
    weight_bits: int = 8
    integer: frozenset[str] = frozenset({"linear", "conv1d", "conv2d"})
    between: frozenset[str] = frozenset()
    dynamic: frozenset[str] = frozenset()  # reads integers scaled at run time, a row; stores floats
    fixed: Mapping[str, Grid] = field(default_factory=dict[str, Grid])  # by kind of call
    joined: frozenset[str] = frozenset({"cat"})  # operands and result share one encoding
    symmetric: bool = False  # activations have their zero point in the middle
    half_scales: bool = False  # scales are float16 in the file: choose them so
    from_float: bool = False  # weights are stored as floats on the grid, and quantised in the graph
    read_apart: bool = False  # each reader has a dequantize of its own
    moves: bool = True  # a call that only moves numbers does so in integers
    wide: str | None = None  # type of a value that 8 bits do not hold; None leaves it in float
    objection: Objection | None = None

    def with_bits(self, activations: str, weight_bits: int = 8) -> QuantScheme:
        return replace(self, activations=activations, weight_bits=weight_bits)

    def why_float(self, node: Node, program: Program) -> str | None:
        return self.objection(node, program) if self.objection else None
