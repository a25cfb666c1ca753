"""Integer operations, a file a family. `OPS` lists all of them for kernels, emitters and tests."""

from __future__ import annotations

from edgevit.integer.graph import Op
from edgevit.integer.ops.columns import BinSum, Pick
from edgevit.integer.ops.moves import Concat, Pad, Permute, Reshape, Slice, Upsample
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Curve, Lookup, Multiply, Rescale
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul
from edgevit.integer.ops.selection import Gather, OneHot, Order, Scatter
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.windows import AveragePool, MaxPool

OPS: tuple[type[Op], ...] = (
    Linear, Conv2d, Depthwise, MatMul, Softmax, Norm, Lookup, Curve, Add, AddWide, Rescale, Multiply,
    AveragePool, MaxPool, Concat, Slice, Permute, Pad, Upsample, Reshape, Pick, BinSum,
    Order, Gather, Scatter, OneHot,
)  # fmt: skip
