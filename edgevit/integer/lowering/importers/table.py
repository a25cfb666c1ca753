"""Table of importers by ATen operator."""

from __future__ import annotations

from collections.abc import Callable

from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.importers import (
    affine,
    matmul,
    moves,
    norms,
    pointwise,
    pools,
    products,
)

Importer = Callable[[Node, Context], QuantTensor]


def _product(node: Node, context: Context) -> QuantTensor:
    constant = context.constant(node.args[1])
    return (
        products.matrix_product if constant is not None and constant.ndim == 2 else matmul.product
    )(node, context)


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
}


def import_call(node: Node, context: Context) -> QuantTensor:
    if node in context.plan.regions.root:
        return pointwise.function(node, context)
    if context.plan.is_fused(node):
        return pointwise.clamp(node, context)
    if kind(node) not in IMPORTERS:
        raise NotLoweredError("no integer operation computes it")
    return IMPORTERS[kind(node)](node, context)
