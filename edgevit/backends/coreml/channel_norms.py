"""Fusion of a norm over the channels, written out, into the one operation that Core ML has for it.

    d = x - mean(x);   d * rsqrt(mean(d * d) + eps)   ->   layer_norm(x, axes=[1])

coremltools' pass `fuse_layernorm_or_instancenorm` does this where nothing else reads `x`. In a transformer its
residual does.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

PASS = "fuse_layernorm_or_instancenorm"
_CHANNELS = 1


def fuse_all(mil: Any, registry: Any) -> None:
    registry[f"common::{PASS}"](mil)
    for function in mil.functions.values():
        for root in [op for op in function.operations if op.op_type == "rsqrt"]:
            _fuse(function, root)


def _fuse(function: Any, root: Any) -> None:
    norm = _deviation(root)
    scaled = _only_reader(root.outputs[0], "mul")
    if norm is None or scaled is None:
        return
    deviation, epsilon = norm
    if not _is_of(scaled, deviation, root.outputs[0]):
        return
    _put_layer_norm(function, deviation.op.x, epsilon, scaled)


def _deviation(root: Any) -> tuple[Any, float] | None:
    """Return the deviation `d` and `eps` from the operand `mean(d * d) + eps` of the root.

    Return None if the operand has another form or `d` is not `x - mean(x)`.
    """
    spread = root.x.op
    if spread is None or spread.op_type != "add" or spread.y.val is None or spread.y.val.size != 1:
        return None
    mean = spread.x.op
    square = mean.x.op if _is_mean(mean) else None
    if square is None or square.op_type != "mul" or square.x is not square.y:
        return None
    difference = square.x.op
    if difference is None or difference.op_type != "sub" or not _is_mean(difference.y.op):
        return None
    source = difference.y.op.x
    return (square.x, float(spread.y.val)) if difference.x is source else None


def _is_mean(op: Any) -> bool:
    """Return whether the op is a mean over the channels of an image."""
    if op is None or op.op_type != "reduce_mean" or op.x.rank != 4 or not op.keep_dims.val:
        return False
    return [axis % 4 for axis in op.axes.val] == [_CHANNELS]


def _is_of(product: Any, one: Any, other: Any) -> bool:
    return {id(product.x), id(product.y)} == {id(one), id(other)}


def _only_reader(value: Any, kind: str) -> Any | None:
    readers = list(value.child_ops)
    return readers[0] if len(readers) == 1 and readers[0].op_type == kind else None


def _put_layer_norm(function: Any, source: Any, epsilon: float, instead: Any) -> None:
    """Insert the layer norm and replace the uses of `instead` by it.

    It is built within the pass's scope, where coremltools passes on the scopes of the replaced ops.
    Without them it raises an error.
    """
    mb = import_module("coremltools.converters.mil.mil").Builder
    scope = import_module("coremltools.converters.mil.mil.scope")
    info = scope.ScopeInfo(source=scope.ScopeSource.COREMLTOOLS_GRAPH_PASS, data=[PASS])
    old = instead.outputs[0]
    with mb.scope(info), instead.enclosing_block:
        norm = mb.layer_norm(
            x=source, axes=[_CHANNELS], epsilon=epsilon, name=old.name, before_op=instead
        )
        function.replace_uses_of_var_after_op(anchor_op=instead, old_var=old, new_var=norm)
