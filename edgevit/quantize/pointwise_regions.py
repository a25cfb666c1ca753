"""Regions of elementwise functions of one value: on 8 bits they are one table, however many calls.

x * clamp(x + 3, 0, 6) / 6,   x * sigmoid(x),   tanh(2 * x) + 1   ->   table[x]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.fx.node import Node, map_arg

from edgevit.graph.aten import kind, run_call
from edgevit.graph.program import Program
from edgevit.graph.tensors import from_numpy
from edgevit.quantize.op_traits import is_constant, is_pointwise, is_real, sources

PointwiseFunction = Callable[[np.ndarray], np.ndarray]
Override = Callable[[np.ndarray, float], np.ndarray]  # of values, and the scale of the root


class Regions:
    """Elementwise functions of one value.

    `root[node]` is the value that `node` is a function of. `fused` are clamps that their producer's
    grid performs.
    """

    def __init__(self, program: Program, fused: Callable[[Node, dict[Node, Node]], bool]) -> None:
        self._program = program
        self.root: dict[Node, Node] = {}
        for node in program.calls():
            if not is_pointwise(node, program):
                continue
            roots = {self.root.get(read, read) for read in sources(node, program)}
            if len(roots) == 1 and all(map(is_real, roots)) and not fused(node, self.root):
                self.root[node] = roots.pop()

    def inside(self, node: Node) -> bool:
        """Check that only other steps of the same function read `node`."""
        root = self.root.get(node)
        return root is not None and all(self.root.get(user) is root for user in node.users)

    def ends(self, root: Node) -> list[Node]:
        """List the functions of `root` that are read from outside its region, and are numbers."""
        return [
            node
            for node, its in self.root.items()
            if its is root and is_real(node) and not self.inside(node)
        ]

    def function(
        self, node: Node, override: dict[str, Override], scale: float
    ) -> PointwiseFunction:
        """Build the function from root to `node` in float64. `override` replaces some calls."""
        root = self.root[node]

        def compute(x: np.ndarray) -> np.ndarray:
            values: dict[Node, torch.Tensor] = {root: from_numpy(x.astype(np.float64))}
            return self._value(node, values, override, scale).numpy()

        return compute

    def _value(
        self,
        node: Node,
        values: dict[Node, torch.Tensor],
        override: dict[str, Override],
        scale: float,
    ) -> torch.Tensor:
        if node not in values:
            for read in node.all_input_nodes:
                self._value(read, values, override, scale)
            if kind(node) in override:
                (read,) = sources(node, self._program)
                x = values[read].numpy()
                values[node] = from_numpy(override[kind(node)](x, scale))
            elif is_constant(node, self._program):
                constant = self._program.constants[str(node.target)].reshape(())
                values[node] = constant.double() if constant.is_floating_point() else constant
            else:
                values[node] = _called(node, values)
        return values[node]


def _called(node: Node, values: dict[Node, torch.Tensor]) -> torch.Tensor:
    def double(argument: Any) -> Any:
        return torch.float64 if argument is torch.float32 else argument

    args = [double(a) for a in map_arg(node.args, values.__getitem__)]
    kwargs = {k: double(a) for k, a in map_arg(node.kwargs, values.__getitem__).items()}
    with torch.no_grad():
        return run_call(node, *args, **kwargs)
