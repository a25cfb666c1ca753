"""Quantisation scheme: how a runtime computes in integers, as data that its backend declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.program import Program
from edgevit.quantize.encoding import Grid

# Why a runtime does not compute one call in integers, or None where it does.
Objection = Callable[[Node, Program], str | None]


FLOAT = "float"


@dataclass(frozen=True)
class WeightForm:
    """How the weights of a precision are stored."""

    bits: int = 8
    block: int = 0  # input channels that share a scale; 0: all of them
    palette: bool = False  # indices into a table of 2 ** bits numbers, one table a weight
    half_scales: bool = False


@dataclass(frozen=True)
class QuantScheme:
    """Integer arithmetic of one runtime at one precision.

    A call in `integer` reads and stores integers wherever it stands. A call in `between` does so
    where every call around it does: alone among float calls its rounding would buy nothing.
    """

    activations: str = "int8"  # `float`: only the weights are rounded
    weight_bits: int = 8
    narrow: frozenset[str] | None = None  # kinds whose weights have so many; others 8; None: all
    block: int = 0  # input channels of a weight that share a scale; 0: all of them
    palette: bool = False  # weights are indices into tables
    folded: bool = False  # weights are float constants, which the lowering writes as integers
    integer: frozenset[str] = frozenset({"linear", "conv1d", "conv2d"})
    between: frozenset[str] = frozenset()
    clamps: frozenset[str] | None = None  # that a product performs as it stores; None for all
    dynamic: frozenset[str] = frozenset()  # reads integers scaled at run time, a row; stores floats
    unrounded: frozenset[str] = frozenset()  # stores floats where only calls in floats read it
    fixed: Mapping[str, Grid] = field(default_factory=dict[str, Grid])  # by kind of call
    joined: frozenset[str] = frozenset({"cat"})  # operands and result share one encoding
    symmetric: bool = False  # activations have their zero point in the middle
    half_scales: bool = False  # scales are float16 in the file: choose them so
    from_float: bool = False  # weights are stored as floats on the grid, and quantised in the graph
    read_apart: bool = False  # each reader has a dequantize of its own
    fenced: bool = False  # clones keep the converter from computing float calls in integers
    constants: bool = False  # that a call computes with are stored as integers too
    moves: bool = True  # a call that only moves numbers does so in integers
    float_stream: bool = False  # sums of the residual stream, and what it goes through
    float_worst: bool = False  # the few calls that make most of the noise, where there is much
    mixed: bool = False  # some values have more bits: those that a search finds, or a bit map names
    wide: str | None = None  # type of a value that 8 bits do not hold; None leaves it in float
    objection: Objection | None = None

    def form_of(self, node: Node) -> WeightForm:
        if not self.narrows(kind(node)):
            return WeightForm(half_scales=self.half_scales)
        return WeightForm(self.weight_bits, self.block, self.palette, self.half_scales)

    def narrows(self, kind: str) -> bool:
        return self.narrow is None or kind in self.narrow

    @property
    def rounds_activations(self) -> bool:
        return self.activations != FLOAT

    @property
    def needs_pictures(self) -> bool:
        """Check for ranges that are fixed before the model runs."""
        return self.rounds_activations and bool((self.integer - self.dynamic) | self.between)

    def why_float(self, node: Node, program: Program) -> str | None:
        return self.objection(node, program) if self.objection else None


# Firmware's: no call computes in floats.
EVERY = QuantScheme(
    integer=frozenset(
        {"linear", "conv1d", "conv2d", "conv_transpose2d", "matmul", "bmm"}
        | {"scaled_dot_product_attention", "softmax", "layer_norm", "group_norm", "rms_norm"}
        | {"add", "sub", "mul", "cat", "mean", "avg_pool2d", "adaptive_avg_pool2d"}
        | {"gelu", "silu", "sigmoid", "hardswish", "hardsigmoid"}
    )
)


def palette(scheme: QuantScheme, bits: int) -> QuantScheme:
    """Return the scheme with weights as indices of so many bits, where the table is worth its bytes."""

    def objection(node: Node, program: Program) -> str | None:
        weight = argument(node, "weight")
        count = program.constants[str(weight.target)].numel()
        saved, table = count * (16 - bits) / 8, 2 * 2**bits
        return "its table would be larger than what it saves" if saved < 2 * table else None

    return replace(scheme, weight_bits=bits, palette=True, folded=True, objection=objection)
