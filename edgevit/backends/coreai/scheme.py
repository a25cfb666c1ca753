"""How Core AI stores weights: as Core ML does, expanded to float16 as they are read."""

from __future__ import annotations

from dataclasses import replace

from torch.fx.node import Node

from edgevit.graph.aten import argument
from edgevit.graph.program import Program
from edgevit.quantize import FLOAT, QuantScheme
from edgevit.support.backend_info import AutomaticPrecision
from edgevit.targets import Target

_WEIGHTS = QuantScheme(
    activations=FLOAT,
    integer=frozenset({"linear", "conv1d", "conv2d", "conv_transpose2d"}),
    half_scales=True,
    folded=True,
)
_BLOCK = 32


def _palette(bits: int) -> QuantScheme:
    def objection(node: Node, program: Program) -> str | None:
        weight = argument(node, "weight")
        count = program.constants[str(weight.target)].numel()
        saved, table = count * (16 - bits) / 8, 2 * 2**bits
        return "its table would be larger than what it saves" if saved < 2 * table else None

    return replace(_WEIGHTS, weight_bits=bits, palette=True, objection=objection)


SCHEMES = {
    "w8": _WEIGHTS,
    "w4": replace(_WEIGHTS, weight_bits=4, block=_BLOCK),
    "palette8": _palette(8),
    "palette6": _palette(6),
    "palette4": _palette(4),
}


def automatic(target: Target) -> AutomaticPrecision:
    return AutomaticPrecision("fp16", "Core AI computes in floats; integers make its file smaller")
