"""Quantize and dequantize calls, written into a program: torch runs it as the simulation.

The calls are those that PyTorch's own quantisation writes, which every converter reads.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

import torch
import torch.ao.quantization.fx._decomposed  # pyright: ignore[reportUnusedImport]  # registers its operators
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program, copy_graph, origin
from edgevit.quantize.encoding import LIMITS, Grid, asymmetric
from edgevit.quantize.placement import IntegerPlacement, is_weighted
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.weights import IntegerWeight, PaletteWeight, RoundedWeight

_OPS = torch.ops.quantized_decomposed
_STEP = "quantize"  # in the origin of what is inserted, where a rule's name is
_DTYPES = {
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "uint16": torch.uint16,
}
_BIAS = 2  # its place in the arguments of linear and of each convolution


def with_pairs(
    program: Program,
    placement: IntegerPlacement,
    encodings: Mapping[Node, Grid],
    weights: Mapping[Node, RoundedWeight],
    scheme: QuantScheme,
) -> Program:
    """Write the placement into the program. All nodes are those of `program`."""
    draft = Draft(program)
    here = {node.name: node for node in draft.graph.nodes}
    for node, weight in weights.items():
        _give_weight(here[node.name], weight, scheme, draft)
    static = [node for node in placement.calls if kind(node) not in scheme.dynamic]
    integers = {here[node.name] for node in (*static, *placement.stored, *placement.carried)}
    for node in (*placement.stored, *placement.carried):
        source = here[node.name]
        grid = encodings[placement.carried.get(node, node)]
        _insert_pairs(source, list(source.users), grid, scheme, draft, integers)
    for node, readers in placement.copied.items():
        apart = [here[one.name] for one in readers if kind(one) not in scheme.dynamic]
        if apart:
            _insert_pairs(here[node.name], apart, encodings[node], scheme, draft, integers)
    for node in placement.calls:
        if scheme.constants and not is_weighted(node):
            _encode_constants(here[node.name], scheme, draft)
        if kind(node) in scheme.dynamic:
            product = here[node.name]
            _insert_dynamic(operand(product), product, draft)
    return draft.program()


def with_other_grids(
    simulation: Program, placement: IntegerPlacement, encodings: Mapping[Node, Grid]
) -> Program:
    """Return a simulation of the same placement and weights with other grids of the same types."""
    graph = copy_graph(simulation.graph)
    here = {node.name: node for node in graph.nodes}
    for node in (*placement.stored, *placement.carried, *placement.copied):
        where = _where(encodings[placement.carried.get(node, node)])
        for integers in filter(_is_quantize, map(_past_fence, list(here[node.name].users))):
            for call in (integers, *integers.users):
                call.args = (call.args[0], *where)
    return replace(simulation, graph=graph)


def _is_quantize(node: Node) -> bool:
    return node.target is _OPS.quantize_per_tensor.default


def _past_fence(node: Node) -> Node:
    return next(iter(node.users)) if is_fence(node) else node


def is_fence(node: Node) -> bool:
    """Check for a call that only marks where floats begin or end."""
    return kind(node) == "clone" and origin(node).rules[-1:] == (_STEP,)


def _where(grid: Grid) -> tuple[float, int, int, int, torch.dtype]:
    """Return the arguments by which a call quantises, or dequantises."""
    return (grid.scale, grid.zero, *LIMITS[grid.dtype], _DTYPES[grid.dtype])


def _insert_pairs(
    source: Node,
    readers: Iterable[Node],
    grid: Grid,
    scheme: QuantScheme,
    draft: Draft,
    integer_values: AbstractSet[Node],
) -> None:
    edit = Edit(draft, _STEP, _after(source), (source,))
    where = _where(grid)
    numbers = _fence(source, edit) if scheme.fenced and source not in integer_values else source
    integers = edit.call(_OPS.quantize_per_tensor.default, numbers, *where)
    floats = None
    for reader in readers:
        if floats is None:
            floats = edit.call(_OPS.dequantize_per_tensor.default, integers, *where)
        elif scheme.read_apart:
            floats = edit.twin(floats)
        outside = reader not in integer_values and reader.op != "output"
        numbers = _fence(floats, edit) if scheme.fenced and outside else floats
        reader.replace_input_with(source, numbers)


def _encode_constants(node: Node, scheme: QuantScheme, draft: Draft) -> None:
    """Let a call read its constant operands through pairs, each on the grid of its own range."""
    edit = Edit(draft, _STEP, node)
    for constant in node.all_input_nodes:
        if not draft.is_constant(constant):
            continue
        numbers = draft.tensor(constant)
        if not numbers.is_floating_point() or not numbers.isfinite().all():
            continue
        grid = asymmetric(float(numbers.min()), float(numbers.max()), scheme.activations)
        where = _where(grid)
        integers = edit.call(_OPS.quantize_per_tensor.default, constant, *where)
        floats = edit.call(_OPS.dequantize_per_tensor.default, integers, *where)
        node.replace_input_with(constant, floats)


def _fence(floats: Node, edit: Edit) -> Node:
    is_call = floats.op == "call_function"
    return edit.call(torch.ops.aten.clone.default, floats) if is_call else floats


def _after(node: Node) -> Node:
    """Return the node before which something behind `node`, and behind all inputs, goes."""
    node = node.next
    while node.op == "placeholder":
        node = node.next
    return node


def _insert_dynamic(source: Node, reader: Node, draft: Draft) -> None:
    """Quantise each row of what `reader` reads to its own range, when it is read."""
    edit = Edit(draft, _STEP, reader)
    chosen = edit.call(_OPS.choose_qparams_per_token_asymmetric.default, source, torch.int8)
    scale, zero = (edit.call(operator.getitem, chosen, index) for index in (0, 1))
    where = (scale, zero, *LIMITS["int8"], torch.int8)
    integers = edit.call(_OPS.quantize_per_token.default, source, *where)
    floats = edit.call(_OPS.dequantize_per_token.default, integers, *where, torch.float32)
    reader.replace_input_with(source, floats)


def _give_weight(node: Node, weight: RoundedWeight, scheme: QuantScheme, draft: Draft) -> None:
    """Let a call read its integer weight, and the bias that belongs to it."""
    edit = Edit(draft, _STEP, node)
    bias = argument(node, "bias")
    if scheme.folded or isinstance(weight, PaletteWeight):
        floats = edit.constant(weight.floats(), "weight")
    else:
        floats = _dequantized(weight, scheme, edit)
    node.replace_input_with(argument(node, "weight"), floats)
    if weight.bias is not None:
        _give_bias(node, bias, edit.constant(weight.bias, "bias"))


def _dequantized(weight: IntegerWeight, scheme: QuantScheme, edit: Edit) -> Node:
    scales = edit.constant(weight.scales, "scales")
    zeros = edit.constant(torch.zeros(len(weight.scales), dtype=torch.int64), "zeros")
    where = (scales, zeros, weight.axis, -weight.most - 1, weight.most, torch.int8)
    if scheme.from_float:
        numbers = edit.constant(weight.floats(), "weight")
        integers = edit.call(_OPS.quantize_per_channel.default, numbers, *where)
    else:
        integers = edit.constant(weight.integers, "weight")
    return edit.call(_OPS.dequantize_per_channel.default, integers, *where)


def _give_bias(node: Node, old: Node | None, new: Node) -> None:
    if old is not None:
        node.replace_input_with(old, new)
    else:
        node.kwargs = {name: one for name, one in node.kwargs.items() if name != "bias"}
        node.args = (*node.args[:_BIAS], new, *node.args[_BIAS + 1 :])
