"""TVM's importer, with own converters for ops that it does not know or misreads.

Shapes are static and known for every node, so an op that only moves values is written by its
result's shape. The shape and type of every value are compared with PyTorch's: an op for which the
importer departs from them is refused, not computed otherwise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.backends.tvm import pairs
from edgevit.backends.tvm.arithmetic import ARITHMETIC, Converter, Expr, relax_type, typed
from edgevit.backends.tvm.tool import tvm
from edgevit.graph.aten import argument


class DeviationError(Exception):
    """Raised if a converter's result has another shape or dtype than PyTorch's."""


def importer() -> Any:
    """Return an `ExportedProgramImporter` with the converters of this module.

    Its base class exists only once TVM is imported. Each result's shape and dtype are compared with
    PyTorch's.
    """
    theirs = tvm("relax.frontend.torch.exported_program_translator").ExportedProgramImporter

    class Importer(theirs):  # type: ignore[misc, valid-type]
        def create_convert_map(self) -> dict[str, Callable[[Node], Expr]]:
            ours = {name: functools.partial(_own, convert, self) for name, convert in OURS.items()}
            table = super().create_convert_map() | ours
            return {name: functools.partial(_held, convert) for name, convert in table.items()}

    return Importer()


def _own(convert: Converter, importer: Any, node: Node) -> Expr:
    return convert(node, importer)


def _held(convert: Callable[[Node], Expr], node: Node) -> Expr:
    expression = convert(node)
    meant, struct = node.meta.get("val"), getattr(expression, "ty", None)
    if isinstance(meant, torch.Tensor) and hasattr(struct, "dtype"):
        shape = tuple(int(extent) for extent in struct.shape)  # type: ignore[union-attr]
        dtype = str(struct.dtype)  # type: ignore[union-attr]
        if (shape, dtype) != (tuple(meant.shape), relax_type(meant.dtype)):
            raise DeviationError(
                f"its importer makes {shape} {dtype} of it, "
                f"and PyTorch {tuple(meant.shape)} {relax_type(meant.dtype)}"
            )
    return expression


def _shape(node: Node) -> list[int]:
    return [int(extent) for extent in node.meta["val"].shape]


def _reshaped(node: Node, importer: Any) -> Expr:
    x = importer.env[node.args[0]]
    return importer.block_builder.emit(tvm("relax").op.reshape(x, _shape(node)))


def _expanded(node: Node, importer: Any) -> Expr:
    """Broadcast to the shape in the node's metadata.

    The importer resolves -1 to the wrong axis if the expansion adds axes.
    """
    x = importer.env[node.args[0]]
    return importer.block_builder.emit(tvm("relax").op.broadcast_to(x, _shape(node)))


def _copied(node: Node, importer: Any) -> Expr:
    """Broadcast the source of `aten.copy`, which is functional.

    The importer gives its destination the new value too.
    """
    source = typed(importer, node.args[1], node.meta["val"].dtype)
    return importer.block_builder.emit(tvm("relax").op.broadcast_to(source, _shape(node)))


def _sliced(node: Node, importer: Any) -> Expr:
    dim, step = argument(node, "dim"), argument(node, "step")
    axis = dim % len(_shape(node))
    extent = _shape(node.args[0])[axis]  # type: ignore[arg-type]
    start, stop, _ = slice(argument(node, "start"), argument(node, "end")).indices(extent)
    x = importer.env[node.args[0]]
    cut = tvm("relax").op.strided_slice(x, [axis], [start], [max(start, stop)], [step])
    return importer.block_builder.emit(cut)


def _split(node: Node, importer: Any) -> Expr:
    """Write a split as one slice for each part.

    TVM takes no empty part, and makes all parts of one size where the last is smaller.
    """
    relax, emit = tvm("relax"), importer.block_builder.emit
    x, axis, start, parts = importer.env[node.args[0]], argument(node, "dim"), 0, []
    for meant in node.meta["val"]:
        stop = start + int(meant.shape[axis])
        parts.append(emit(relax.op.strided_slice(x, [axis % meant.ndim], [start], [stop])))
        start = stop
    return emit(relax.Tuple(parts))


def _extreme(name: str) -> Converter:
    def convert(node: Node, importer: Any) -> Expr:
        axes = argument(node, "dim") or None
        reduced = getattr(tvm("relax").op, name)(
            importer.env[node.args[0]],
            axis=list(axes) if axes else None,
            keepdims=argument(node, "keepdim"),
        )
        return importer.block_builder.emit(reduced)

    return convert


def _averaged(node: Node, importer: Any) -> Expr:
    x = typed(importer, node.args[0], node.meta["val"].dtype)
    axes = argument(node, "dim") or None
    keep = argument(node, "keepdim")
    return importer.block_builder.emit(tvm("relax").op.mean(x, axes, keepdims=keep))


def _product(node: Node, importer: Any) -> Expr:
    x = typed(importer, node.args[0], node.meta["val"].dtype)
    axis, keep = argument(node, "dim"), argument(node, "keepdim")
    return importer.block_builder.emit(tvm("relax").op.prod(x, axis, keepdims=keep))


def _any(node: Node, importer: Any) -> Expr:
    op = tvm("relax").op
    yes = op.astype(typed(importer, node.args[0], torch.bool), "int8")
    whole = node.target is torch.ops.aten.any.default
    axes = None if whole else argument(node, "dim")
    largest = op.max(yes, axes, keepdims=not whole and argument(node, "keepdim"))
    return importer.block_builder.emit(op.astype(largest, "bool"))


def _sorted(node: Node, importer: Any) -> Expr:
    """Sort with int64 indices; equal numbers stay in their order."""
    op, emit = tvm("relax").op, importer.block_builder.emit
    x = importer.env[node.args[0]]
    axis, descending = argument(node, "dim"), argument(node, "descending")
    places = emit(op.argsort(x, axis, descending, dtype="int64"))
    if "argsort" in str(node.target):
        return places
    values = emit(op.gather_elements(x, places, axis=axis % x.ty.ndim))
    return emit(tvm("relax").Tuple([values, places]))


def _looked_up(node: Node, importer: Any) -> Expr:
    weight, places = (importer.env[node.args[k]] for k in (0, 1))
    return importer.block_builder.emit(tvm("relax").op.take(weight, places, 0, mode="clip"))


def _selected(node: Node, importer: Any) -> Expr:
    x, places = importer.env[node.args[0]], importer.env[node.args[2]]
    axis = argument(node, "dim") % len(_shape(node))
    return importer.block_builder.emit(tvm("relax").op.take(x, places, axis, mode="clip"))


def _indexed(node: Node, importer: Any) -> Expr:
    """Write `x[:, i, j]` as a single gather.

    The indexed axes come first and are merged to one. The new axes are then moved where PyTorch
    puts them.

    The importer's own way is an outer product for some shapes, and reads before the tensor for
    negative indices.
    """
    op, emit = tvm("relax").op, importer.block_builder.emit
    source, indices = node.args[:2]
    extents = _shape(source)  # type: ignore[arg-type]
    axes = [axis for axis, index in enumerate(indices) if index is not None]  # type: ignore[arg-type]
    rest = [axis for axis in range(len(extents)) if axis not in axes]
    place = None
    for axis in axes:
        index = _not_negative(importer, indices[axis], extents[axis])  # type: ignore[index]
        if place is None:
            place = index
        else:
            size = tvm("relax").const(extents[axis], "int64")
            place = emit(op.add(emit(op.multiply(place, size)), index))
    assert place is not None
    x = importer.env[source]
    order = axes + rest
    if order != list(range(len(extents))):
        x = emit(op.permute_dims(x, order))
    sizes = [extents[axis] for axis in rest]
    flat = emit(op.reshape(x, [-1, *sizes]))
    taken = emit(op.take(flat, place, 0, mode="clip"))
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    new = place.ty.ndim
    if not together or axes[0] == 0:
        return taken
    before = list(range(new, new + axes[0]))
    after = list(range(new + axes[0], new + len(rest)))
    return emit(op.permute_dims(taken, [*before, *range(new), *after]))


def _not_negative(importer: Any, index: Node, extent: int) -> Expr:
    relax = tvm("relax")
    op = relax.op
    place = typed(importer, index, torch.int64)
    zero, size = relax.const(0, "int64"), relax.const(extent, "int64")
    return importer.block_builder.emit(op.where(op.less(place, zero), op.add(place, size), place))


OURS: dict[str, Converter] = {
    **ARITHMETIC,
    **dict.fromkeys(
        (
            "view.default", "_unsafe_view.default", "reshape.default", "flatten.using_ints",
            "unflatten.int", "squeeze.default", "squeeze.dim", "squeeze.dims", "unsqueeze.default",
        ),
        _reshaped,
    ),
    "amax.default": _extreme("max"),
    "amin.default": _extreme("min"),
    "any.default": _any,
    "any.dim": _any,
    "any.dims": _any,
    "argsort.default": _sorted,
    "argsort.stable": _sorted,
    "copy.default": _copied,
    "dequantize_per_channel.default": pairs.dequantized_channels,
    "dequantize_per_tensor.default": pairs.dequantized,
    "embedding.default": _looked_up,
    "expand.default": _expanded,
    "index.Tensor": _indexed,
    "index_select.default": _selected,
    "mean.dim": _averaged,
    "prod.dim_int": _product,
    "quantize_per_tensor.default": pairs.quantized,
    "slice.Tensor": _sliced,
    "sort.default": _sorted,
    "sort.stable": _sorted,
    "split.Tensor": _split,
    "split_with_sizes.default": _split,
}  # fmt: skip
