"""State shared by the importers of single calls: the graph they add to, the values, the grids."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument
from edgevit.graph.program import Program
from edgevit.integer.lowering.builder import Builder, QuantTensor
from edgevit.integer.lowering.layout import TensorLayout
from edgevit.integer.lowering.parameters import rescale, table, wide_sum
from edgevit.integer.ops.pointwise import AddWide, Lookup, Rescale
from edgevit.quantize import (
    EncodingPlan,
    Grid,
    Grids,
    Moments,
    Override,
    asymmetric,
    factor_of,
    is_constant,
    is_real,
    is_view,
    number,
)

PLACES = Grid(1.0, 0, "int16")  # of whole numbers that say where a row is


class NotLoweredError(Exception):
    """No integer operation computes this call. The reason reaches the user."""


class Context:
    def __init__(
        self, program: Program, plan: EncodingPlan, grids: Grids, overrides: dict[str, Override],
        shift_softmax: bool, moments: dict[Node, Moments],
    ) -> None:  # fmt: skip
        self.program = program
        self.plan = plan
        self.grids = grids
        self.overrides = overrides
        self.shift_softmax = shift_softmax
        self.moments = moments
        self.builder = Builder()
        self.tensors: dict[Node, QuantTensor] = {}
        self._halves: dict[str, tuple[QuantTensor, QuantTensor]] = {}
        self._rescaled: dict[tuple[str, Grid], QuantTensor] = {}

    def constant(self, argument: object) -> np.ndarray | None:
        """Return a constant argument in float64; None for any other."""
        if not is_constant(argument, self.program):
            return None
        assert isinstance(argument, Node)
        return self.program.constants[str(argument.target)].double().numpy()

    def weights(self, node: Node, name: str) -> np.ndarray:
        """Return a constant argument; raise `NotLoweredError` if it is computed."""
        array = self.constant(argument(node, name))
        if array is None:
            raise NotLoweredError(f"its {name} is computed")
        return array

    def optional(self, node: Node, name: str) -> np.ndarray | None:
        parameter = argument(node, name) if has_argument(node, name) else None
        return None if parameter is None else self.weights(node, name)

    def number(self, argument: object) -> float | None:
        return number(argument, self.program)

    def is_real(self, node: Node) -> bool:
        return is_real(node)

    def stored_grid(self, node: Node) -> Grid:
        """Return the grid that a value is stored on, whole numbers included."""
        return self.grids.stored(node) if is_real(node) else PLACES

    def constant_grid(self, node: Node, array: np.ndarray) -> Grid:
        """Return the grid of a constant that calls read as they read a value."""
        return asymmetric(float(array.min()), float(array.max())) if is_real(node) else PLACES

    def value_of(self, node: Node) -> QuantTensor:
        """Return the value of a node in its own type, 8 or 16 bits."""
        return self.tensors[node]

    def int8_value(self, argument: object) -> QuantTensor:
        """Return the value of an argument in 8 bits."""
        if not isinstance(argument, Node) or argument not in self.tensors:
            raise NotLoweredError("it is of no value that was computed")
        return self.as_int8(self.tensors[argument], argument)

    def int16_value(self, node: Node) -> QuantTensor:
        """Return the value of a node in 16 bits, without a zero point."""
        tensor = self.tensors[node]
        if tensor.value.dtype == "int16":
            return tensor
        return self.requantized(tensor, Grid(tensor.grid.scale / 128, 0, "int16"))

    def deep_value(self, node: Node) -> QuantTensor | None:
        """Return a value that its readers read in 16 bits; None for any other."""
        tensor = self.tensors.get(node)
        is_deep = tensor is not None and tensor.value.dtype == "int16" and self.plan.is_deep(node)
        return tensor if is_deep else None

    def halves(self, tensor: QuantTensor) -> tuple[QuantTensor, QuantTensor]:
        """Split 16 bits into the nearest multiple of 256, and the rest, 8 bits each."""
        if tensor.value.name not in self._halves:
            self._halves[tensor.value.name] = self._split(tensor)
        upper, lower = self._halves[tensor.value.name]
        return replace(upper, layout=tensor.layout), replace(lower, layout=tensor.layout)

    def _split(self, tensor: QuantTensor) -> tuple[QuantTensor, QuantTensor]:
        step = tensor.grid.scale
        upper = self.requantized(tensor, Grid(256 * step))
        numbers = wide_sum(tensor.grid, upper.grid, tensor.grid, -1)
        output = self.builder.value(f"{tensor.value.name}.rest", tensor.value.shape, tensor.grid)
        rest = AddWide((tensor.value, upper.value), output, *astuple(numbers))
        lower = self.requantized(QuantTensor(self.builder.add(rest), tensor.layout), Grid(step))
        return upper, lower

    def as_stored(self, tensor: QuantTensor, node: Node) -> QuantTensor:
        """Convert what was computed in 16 bits to what `node` is stored in."""
        return tensor if self.plan.is_wide(node) else self.as_int8(tensor, node)

    def as_int8(self, tensor: QuantTensor, node: Node) -> QuantTensor:
        """Convert the value of `node`, perhaps rearranged, to 8 bits."""
        if tensor.value.dtype == "int16" and not is_real(node):
            raise NotLoweredError("it computes with the places of rows")
        return (
            tensor
            if tensor.value.dtype == "int8"
            else self.requantized(tensor, self.grids.of(node))
        )

    def requantized(
        self, tensor: QuantTensor, grid: Grid, function: str = "rescale"
    ) -> QuantTensor:
        """Requantise a value to another grid."""
        if tensor.grid == grid:
            return tensor
        key = (tensor.value.name, grid)
        if key not in self._rescaled:
            self._rescaled[key] = self._requantized(tensor, grid, function)
        return replace(self._rescaled[key], layout=tensor.layout)

    def _requantized(self, tensor: QuantTensor, grid: Grid, function: str) -> QuantTensor:
        value = tensor.value
        if value.dtype == grid.dtype == "int8":
            return self.lookup(
                tensor, table(tensor.grid.points(), grid), grid, f"{value.name}.on", function
            )
        output = self.builder.value(f"{value.name}.on", value.shape, grid)
        if value.dtype == grid.dtype:
            numbers = wide_sum(tensor.grid, tensor.grid, grid, 0)
            sum_with_none = AddWide((value, value), output, *astuple(numbers))
            return QuantTensor(self.builder.add(sum_with_none), tensor.layout)
        step = rescale(tensor.grid, grid)
        value_there = self.builder.add(
            Rescale((value,), output, step.factor, step.offset, step.shift)
        )
        return QuantTensor(value_there, tensor.layout)

    def lookup(
        self, tensor: QuantTensor, entries: np.ndarray, grid: Grid, stem: str, function: str
    ) -> QuantTensor:
        output = self.builder.value(stem, tensor.value.shape, grid)
        return QuantTensor(
            self.builder.add(Lookup((tensor.value,), output, entries, function)), tensor.layout
        )

    def constant_tensor(
        self, array: np.ndarray, stem: str, grid: Grid, shape: tuple[int, ...]
    ) -> QuantTensor:
        """Add a constant broadcast to `shape`, in torch's order."""
        if grid is PLACES and not (array.min() >= 0 and array.max() < 2**15):
            raise NotLoweredError(f"its places are not all between 0 and {2**15 - 1:,}")
        layout = TensorLayout.plain(shape)
        data = np.broadcast_to(array, shape).reshape(layout.sizes or (1,))
        return QuantTensor(self.builder.constant(stem, data, grid), layout)

    def comparable(self) -> dict[Node, QuantTensor]:
        """Return the values whose integers stand for the call's own result.

        Calls that are clamped later and views are left out.
        """
        return {
            node: tensor
            for node, tensor in self.tensors.items()
            if is_real(node)
            and not self._is_clamped_later(node)
            and not is_view(node)
            and factor_of(node, self.program) is None
        }

    def _is_clamped_later(self, node: Node) -> bool:
        while len(node.users) == 1 and self.plan.sink(node) is not node:
            (node,) = node.users
            if self.plan.is_fused(node):
                return True
        return False
