"""Table of importers by ATen operator."""

from __future__ import annotations

from collections.abc import Callable

from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.program import has_tensor
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.importers import (
    affine,
    columns,
    matmul,
    moves,
    norms,
    pointwise,
    pools,
    products,
    selection,
)

Importer = Callable[[Node, Context], QuantTensor]


def _product(node: Node, context: Context) -> QuantTensor:
    constant = context.constant(node.args[1])
    one = constant is not None and 2 <= constant.ndim <= 3 and set(constant.shape[:-2]) <= {1}
    return (products.matrix_product if one else matmul.product)(node, context)


def _gather(node: Node, context: Context) -> QuantTensor:
    by_table = columns.is_by_table(node, context)
    return (columns.gather if by_table else selection.gather)(node, context)


def _scatter_add(node: Node, context: Context) -> QuantTensor:
    by_table = columns.is_by_table(node, context)
    return (columns.scatter_add if by_table else selection.scatter)(node, context)


IMPORTERS: dict[str, Importer] = {
    "linear": products.linear,
    "conv1d": products.convolution,
    "conv2d": products.convolution,
    "bmm": _product,
    "matmul": _product,
    "mm": _product,
    "layer_norm": norms.layer_norm,
    "rms_norm": norms.rms_norm,
    "group_norm": norms.group_norm,
    "batch_norm": affine.batch_norm,
    "softmax": norms.softmax,
    "add": pointwise.addition,
    "sub": pointwise.addition,
    "mul": pointwise.multiplication,
    "max_pool1d": pools.max_pool,
    "max_pool2d": pools.max_pool,
    "avg_pool1d": pools.average_pool,
    "avg_pool2d": pools.average_pool,
    "adaptive_avg_pool1d": pools.adaptive_average_pool,
    "adaptive_avg_pool2d": pools.adaptive_average_pool,
    "mean": pools.reduction,
    "sum": pools.reduction,
    "upsample_nearest2d": pools.upsample,
    "upsample_bilinear2d": pools.bilinear,
    "reshape": moves.reshape,
    "view": moves.reshape,
    "flatten": moves.reshape,
    "unflatten": moves.reshape,
    "squeeze": moves.reshape,
    "unsqueeze": moves.reshape,
    "permute": moves.permute,
    "transpose": moves.permute,
    "slice": moves.slice_,
    "cat": moves.concatenation,
    "stack": moves.stack,
    "pad": moves.pad,
    "constant_pad_nd": moves.pad,
    "expand": moves.expand,
    "pixel_shuffle": moves.pixel_shuffle,
    "pixel_unshuffle": moves.pixel_shuffle,
    "channel_shuffle": moves.channel_shuffle,
    "alias": moves.same,
    "clone": moves.same,
    "contiguous": moves.same,
    "detach": moves.same,
    "dropout": moves.same,
    "topk": selection.order,
    "sort": selection.order,
    "argsort": selection.order,
    "argmax": selection.order,
    "argmin": selection.order,
    "max": selection.largest,
    "min": selection.largest,
    "amax": selection.extreme,
    "amin": selection.extreme,
    "getitem": selection.part,
    "gather": _gather,
    "take_along_dim": selection.take_along,
    "index_select": selection.index_select,
    "index": selection.index,
    "scatter": selection.scatter,
    "scatter_add": _scatter_add,
    "scatter_reduce": selection.scatter,
    "eq": selection.equal,
    "to": selection.cast,
    "_to_copy": selection.cast,
}


_OF_PLACES: dict[str, Importer] = {
    "add": selection.moved_places,
    "sub": selection.moved_places,
    **{name: IMPORTERS[name] for name in (
        "reshape", "permute", "slice", "cat", "stack", "expand", "alias", "clone", "contiguous", "detach",
        "sort", "argsort", "argmax", "argmin", "getitem", "gather", "index_select", "index", "scatter", "eq",
        "to", "_to_copy",
    )},
}  # fmt: skip


def import_call(node: Node, context: Context) -> QuantTensor:
    if node in context.plan.regions.root:
        return pointwise.function(node, context)
    if context.plan.is_fused(node):
        return pointwise.clamp(node, context)
    if kind(node) not in IMPORTERS:
        raise NotLoweredError("no integer operation computes it")
    if not has_tensor(node) or context.is_real(node):
        return IMPORTERS[kind(node)](node, context)
    if kind(node) not in _OF_PLACES:
        raise NotLoweredError("only the places of rows are whole numbers here")
    return _OF_PLACES[kind(node)](node, context)
