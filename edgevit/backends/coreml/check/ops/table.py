"""Table from MIL operation name to function."""

from __future__ import annotations

from collections.abc import Mapping

from edgevit.backends.coreml.check.ops import (
    activation,
    classify,
    constexpr,
    conv,
    elementwise,
    image_resizing,
    linear,
    normalization,
    pool,
    quantization,
    reduction,
    scatter_gather,
    tensor_operation,
    tensor_transformation,
)
from edgevit.backends.coreml.check.ops.arguments import OpFunction
from edgevit.errors import InternalError


def merged(*families: Mapping[str, OpFunction]) -> dict[str, OpFunction]:
    table: dict[str, OpFunction] = {}
    for family in families:
        twice = table.keys() & family.keys()
        if twice:
            raise InternalError(f"Core ML operation `{min(twice)}` is defined twice")
        table.update(family)
    return table


TABLE: dict[str, OpFunction] = merged(
    activation.OPS,
    classify.OPS,
    constexpr.OPS,
    conv.OPS,
    elementwise.OPS,
    image_resizing.OPS,
    linear.OPS,
    normalization.OPS,
    pool.OPS,
    quantization.OPS,
    reduction.OPS,
    scatter_gather.OPS,
    tensor_operation.OPS,
    tensor_transformation.OPS,
)

# These hand on values that are already rounded, so nothing is to be rounded or counted again.
MOVES_ONLY: frozenset[str] = frozenset(tensor_transformation.OPS) | {
    "band_part",
    "concat",
    "gather",
    "gather_along_axis",
    "gather_nd",
    "identity",
    "max_pool",
    "relu",
    "select",
    "split",
    "stack",
    "tile",
    "topk",
    "upsample_nearest_neighbor",
}
