"""State shared by the importers of single calls: the graph they add to, the values, the grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument
from edgevit.graph.program import Program
from edgevit.integer.lowering.builder import Builder, Held
from edgevit.integer.lowering.layout import Layout
from edgevit.integer.lowering.parameters import rescale, table
from edgevit.integer.ops.pointwise import Lookup, Rescale
from edgevit.quantize.divisions import factor_of
from edgevit.quantize.encoding import Grid
from edgevit.quantize.encoding_plan import Grids, Plan
from edgevit.quantize.input_covariance import Moments
from edgevit.quantize.op_traits import is_constant, is_view, number
from edgevit.quantize.pointwise_regions import Override


class Unsupported(Exception):
    """No integer operation computes this call. The reason reaches the user."""


class Context:
    def __init__(
        self, program: Program, plan: Plan, grids: Grids, overrides: dict[str, Override],
        shift_softmax: bool, moments: dict[Node, Moments],
    ) -> None:  # fmt: skip
        self.program = program
        self.plan = plan
        self.grids = grids
        self.overrides = overrides
        self.shift_softmax = shift_softmax
        self.moments = moments
        self.builder = Builder()
        self.held: dict[Node, Held] = {}
        self._rescaled: dict[tuple[str, Grid], Held] = {}

    def constant(self, argument: object) -> np.ndarray | None:
        """Return a constant argument in float64; None for any other."""
        if not is_constant(argument, self.program):
            return None
        assert isinstance(argument, Node)
        return self.program.constants[str(argument.target)].double().numpy()

    def weights(self, node: Node, name: str) -> np.ndarray:
        """Return a constant argument; raise `Unsupported` if it is computed."""
        found = self.constant(argument(node, name))
        if found is None:
            raise Unsupported(f"its {name} is computed")
        return found

    def optional(self, node: Node, name: str) -> np.ndarray | None:
        given = argument(node, name) if has_argument(node, name) else None
        return None if given is None else self.weights(node, name)

    def number(self, argument: object) -> float | None:
        return number(argument, self.program)

    def wide(self, node: Node) -> Held:
        """Return the value of a node in its own type, 8 or 16 bits."""
        return self.held[node]

    def narrow(self, argument: object) -> Held:
        """Return the value of an argument in 8 bits."""
        if not isinstance(argument, Node) or argument not in self.held:
            raise Unsupported("it is of no value that was computed")
        return self.in_bytes(self.held[argument], argument)

    def in_bytes(self, held: Held, node: Node) -> Held:
        """Convert the value of `node`, perhaps rearranged, to 8 bits."""
        return held if held.value.dtype == "int8" else self.on(held, self.grids.of(node))

    def on(self, held: Held, grid: Grid, function: str = "rescale") -> Held:
        """Requantise a value to another grid."""
        if held.grid == grid:
            return held
        key = (held.value.name, grid)
        if key not in self._rescaled:
            self._rescaled[key] = self._on(held, grid, function)
        return replace(self._rescaled[key], layout=held.layout)

    def _on(self, held: Held, grid: Grid, function: str) -> Held:
        value = held.value
        if value.dtype == grid.dtype == "int8":
            return self.lookup(
                held, table(held.grid.points(), grid), grid, f"{value.name}.on", function
            )
        output = self.builder.value(f"{value.name}.on", value.shape, grid)
        found = rescale(held.grid, grid)
        made = self.builder.add(Rescale((value,), output, found.factor, found.offset, found.shift))
        return Held(made, held.layout)

    def lookup(self, held: Held, entries: np.ndarray, grid: Grid, stem: str, function: str) -> Held:
        output = self.builder.value(stem, held.value.shape, grid)
        return Held(self.builder.add(Lookup((held.value,), output, entries, function)), held.layout)

    def known(self, array: np.ndarray, stem: str, grid: Grid, shape: tuple[int, ...]) -> Held:
        """Add a constant broadcast to `shape`, in torch's order."""
        layout = Layout.plain(shape)
        data = np.broadcast_to(array, shape).reshape(layout.sizes or (1,))
        return Held(self.builder.constant(stem, data, grid), layout)

    def comparable(self) -> dict[Node, Held]:
        """Return the values whose integers stand for the call's own result.

        Calls that are clamped later and views are left out.
        """
        return {
            node: held
            for node, held in self.held.items()
            if not self._is_clamped_later(node)
            and not is_view(node)
            and factor_of(node, self.program) is None
        }

    def _is_clamped_later(self, node: Node) -> bool:
        while len(node.users) == 1 and self.plan.sink(node) is not node:
            (node,) = node.users
            if self.plan.is_fused(node):
                return True
        return False
