"""Lowering of a float program to an integer graph: calibrate, plan grids, import each call,
compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch.fx.node import Node

from edgevit.errors import InternalError, UsageError
from edgevit.graph.aten import kind, op
from edgevit.graph.program import Inputs, Program, origin, shape
from edgevit.integer.graph import InvalidOperationError, OverflowingOperationError, Value
from edgevit.integer.lowering.builder import Builder, QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.importers.table import import_call
from edgevit.integer.lowering.layout import TensorLayout
from edgevit.integer.lowering.noise_report import compared
from edgevit.integer.lowering.quantized import Quantized, QuantOptions, QuantReport
from edgevit.integer.lowering.relayout import by_axes
from edgevit.integer.lowering.shift_functions import shift_gelu
from edgevit.integer.lowering.unsupported import Reason, refuse
from edgevit.integer.ports import Port
from edgevit.quantize import (
    OBSERVERS,
    Calibration,
    EncodingPlan,
    Grid,
    Grids,
    Ordered,
    Override,
    Ranges,
    Recorded,
    are_pixels,
    equalized,
    own_ranges,
    record,
    sources,
    wide_values,
)
from edgevit.rewrites.layout.name_views import permutation_of

_WHOLE = "what leaves is a real number: return the values, and take places of them outside"


@dataclass(frozen=True)
class Observation:
    """What calibration has shown of a program, for one residual type or for several."""

    program: Program
    calibration: Calibration
    recorded: Recorded
    options: QuantOptions
    own: Ranges | None = None  # of single values

    def plan(self, residual: str, deep: frozenset[Node] = frozenset()) -> EncodingPlan:
        return EncodingPlan(self.program, residual == "int16", deep)

    def grids(self, plan: EncodingPlan) -> Grids:
        return self._grids(plan, self.recorded.observers if self.own is None else self.own)

    def _grids(self, plan: EncodingPlan, ranges: Ranges) -> Grids:
        return Grids(plan, ranges, _pixels(self.program, self.calibration))

    def with_own_ranges(self, residual: str, judges: Sequence[Inputs]) -> Observation:
        """Choose the range of each value by what it costs the outputs on `judges`, those of 16 bits later included."""
        observation, plan = self.with_deep(residual), self.plan(residual)

        def grids_of(ranges: Ranges) -> dict[Node, Grid]:
            grids = self._grids(plan, ranges)
            return {node: grids.of(node) for node in plan.observed()}

        usual, fitted = observation.recorded.observers, self.calibration.inputs
        return replace(observation, own=own_ranges(self.program, usual, grids_of, fitted, judges))

    def with_deep(self, residual: str) -> Observation:
        """Observe all that may have 16 bits too."""
        if self.own is not None:
            return self
        plan = self.plan(residual)
        every = {node for one in wide_values(self.program, plan) for node in one.nodes}
        plans = (plan, self.plan(residual, frozenset(every)))
        return replace(
            self, recorded=_recorded(self.program, plans, self.calibration, self.options)
        )

    def quantized(self, residual: str, deep: frozenset[Node] = frozenset()) -> Quantized:
        """Lower to an integer graph with this type of the residual stream, and 16 bits of `deep` values."""
        wide = tuple(sorted(node.name for node in deep))
        options, program = replace(self.options, residual=residual, wide=wide), self.program
        plan = self.plan(residual, deep)
        overrides: dict[str, Override] = {"gelu": shift_gelu} if options.gelu == "i-vit" else {}
        context = Context(
            program,
            plan,
            self.grids(plan),
            overrides,
            options.softmax == "i-vit",
            self.recorded.moments,
        )
        inputs = _import_inputs(context)
        _import_calls(context)
        outputs, values = _outputs(context, inputs)
        graph = context.builder.graph(program.name, values)
        initial = tuple(
            inputs[place].quantized(first.numpy())
            for (place, _), first in zip(program.states, program.initial, strict=True)
        )
        graph = replace(graph, states=program.states, initial=initial).verify()
        quantized = Quantized(graph, inputs, outputs, QuantReport(()), options)
        shown = self.calibration.inputs[: options.report_inputs]
        return replace(quantized, report=compared(quantized, context.comparable(), program, shown))


def quantize(
    program: Program, calibration: Calibration, options: QuantOptions | None = None
) -> Quantized:
    """Quantise a program.

    Raises `UnsupportedOpError` with every call that no integer operation computes.
    """
    options = options or QuantOptions()
    return observe(program, calibration, options, [options.residual]).quantized(options.residual)


def observe(
    program: Program, calibration: Calibration, options: QuantOptions, residuals: Sequence[str]
) -> Observation:
    """Equalise a program and observe its values, for each of these types of the residual stream."""
    for residual in residuals:
        replace(options, residual=residual).check()
    _refuse_batches(program)
    calibration.check(program)
    if options.equalize:
        plan = EncodingPlan(program, residuals[0] == "int16")
        program = equalized(program, calibration.inputs, plan.observed())
    plans = [EncodingPlan(program, residual == "int16") for residual in residuals]
    recorded = _recorded(program, plans, calibration, options)
    return Observation(program, calibration, recorded, options)


def _recorded(
    program: Program, plans: Sequence[EncodingPlan], calibration: Calibration, options: QuantOptions
) -> Recorded:
    nodes = list(dict.fromkeys(node for plan in plans for node in plan.observed()))
    observer = OBSERVERS[options.observer]
    return record(program, nodes, calibration.inputs, observer, ordered=Ordered)


def _pixels(program: Program, calibration: Calibration) -> frozenset[Node]:
    """Find inputs whose calibration data are all pixels."""
    columns = zip(program.placeholders(), zip(*calibration.inputs, strict=True), strict=True)
    states = {k for k, _ in program.states}
    return frozenset(
        node
        for k, (node, tensors) in enumerate(columns)
        if k not in states and are_pixels(np.stack([x.detach().numpy() for x in tensors]))
    )


def _refuse_batches(program: Program) -> None:
    for name, tensor in zip(program.input_names, program.inputs, strict=True):
        if not tensor.is_floating_point() or tensor.dim() == 0:
            raise UsageError(
                f"`{name}` is {str(tensor.dtype).removeprefix('torch.')}",
                why="what enters an integer network is a tensor of real numbers, quantised",
                hint="take a float image in `forward`",
            )
        if tensor.shape[0] != 1:
            raise UsageError(
                f"`{name}` is a batch of {tensor.shape[0]}",
                why="a microcontroller takes one image at a time",
                hint="--batch 1",
            )


def _import_inputs(context: Context) -> tuple[Port, ...]:
    ports: list[Port] = []
    for node in context.program.placeholders():
        sizes = shape(node)
        order = _input_order(node)
        layout = TensorLayout.plain(sizes, order)
        memory_shape = [sizes[axis] for axis in order[1:]] or [1]
        value = context.builder.input(node.name, memory_shape, context.grids.stored(node))
        context.tensors[node] = QuantTensor(value, layout)
        ports.append(Port(value, sizes, order))
    return tuple(ports)


def _input_order(node: Node) -> tuple[int, ...]:
    """Return the memory order of an input.

    Images are channels last, unless all readers permute one that already is.
    """
    rank = len(shape(node))
    turned = all(
        kind(user) == "permute" and permutation_of(user) == [0, 3, 1, 2] for user in node.users
    )
    return (0, 2, 3, 1) if rank == 4 and not turned else tuple(range(rank))


def _import_calls(context: Context) -> None:
    refused: list[Reason] = []
    lost: set[Node] = set()
    for node in context.program.calls():
        read = sources(node, context.program)
        if context.plan.regions.inside(node) or not node.users:
            continue
        if lost.intersection(read):
            lost.add(node)
            continue
        context.builder.origin = origin(node)
        try:
            context.tensors[node] = import_call(node, context)
        except NotLoweredError as reason:
            refused.append(Reason(node, str(reason)))
            lost.add(node)
        except OverflowingOperationError as reason:
            refused.append(Reason(node, str(reason)))
            lost.add(node)
        except InvalidOperationError as error:
            raise _bug(node, error) from error
    refuse(refused)


def _bug(node: Node, error: InvalidOperationError) -> InternalError:
    return InternalError(
        f"`{op(node)}` became an integer operation that does not hold",
        where=str(origin(node)),
        why=str(error),
    )


def _outputs(context: Context, inputs: Sequence[Port]) -> tuple[tuple[Port, ...], list[Value]]:
    ports, values = list[Port](), list[Value]()
    refuse([Reason(n, _WHOLE) for n in context.program.outputs() if not context.is_real(n)])
    states = {output: inputs[place] for place, output in context.program.states}
    for index, node in enumerate(context.program.outputs()):
        if index in states:
            tensor, order = _next_state(context, node, states[index])
        else:
            tensor = _whole(context.int8_value(node), context.builder)
            order = _memory_order(tensor.layout)
        value = replace(tensor.value, scale=tensor.grid.scale)
        ports.append(Port(value, tensor.shape, order))
        values.append(tensor.value)
    return tuple(ports), values


def _next_state(context: Context, node: Node, state: Port) -> tuple[QuantTensor, tuple[int, ...]]:
    """Return the value of `node` on the grid of a state, and as that lies in memory.

    It has bytes of its own: an input may be overwritten before it is handed over.
    """
    builder = context.builder
    grid = Grid(state.value.scale, state.value.zero, state.value.dtype)
    is_wide = grid.dtype == "int16"
    tensor = context.int16_value(node) if is_wide else context.int8_value(node)
    tensor = context.requantized(by_axes(tensor, state.order, builder), grid)
    if is_wide and (builder.is_input(tensor.value) or tensor.factor != 1.0):
        raise NotLoweredError("a state of 16 bits is handed on as it is")
    if builder.is_input(tensor.value) or tensor.factor != 1.0:
        same = np.arange(256, dtype=np.uint8).view(np.int8)
        tensor = context.lookup(tensor, same, grid, f"{state.value.name}.next", "copy")
    value = builder.shaped(tensor.value, state.value.shape)
    return replace(tensor, value=value), state.order


def _whole(tensor: QuantTensor, builder: Builder) -> QuantTensor:
    """Lay out every torch axis as one piece of memory."""
    layout = tensor.layout.merged()
    if all(len(places) < 2 for places in layout.axes):
        tensor = replace(tensor, layout=layout)
        return replace(tensor, value=builder.shaped(tensor.value, layout.sizes or (1,)))
    return by_axes(tensor, [axis for axis in range(layout.rank) if tensor.shape[axis] > 1], builder)


def _memory_order(layout: TensorLayout) -> tuple[int, ...]:
    """Sort torch axes by their place in memory. Axes of one element have none and come first."""
    where = {axis: places[0] if places else -1 for axis, places in enumerate(layout.axes)}
    return tuple(sorted(where, key=lambda axis: (where[axis], axis)))
