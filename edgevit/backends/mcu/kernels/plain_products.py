"""Cards of the portable kernels that sum products. The other families take the same fields, their weights packed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgevit.backends.mcu.kernels.card import (
    Card,
    Field,
    FirstRow,
    Input,
    KernelCall,
    Output,
    RowCount,
    Scratch,
    Steps,
    Tile,
)
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul
from edgevit.integer.ops.windows import AveragePool, MaxPool

_GATHERED = 192  # bytes of a window
_MOST_ROWS = 4

Windowed = Conv2d | Depthwise | AveragePool | MaxPool


def linear_steps(op: Linear, tile: Tile, function: str, weight: np.ndarray) -> Steps:
    columns, depth = op.weight.shape
    fields = {
        "depth": depth,
        "columns": columns,
        "x_stride": depth,
        "y_stride": columns,
        "weight": weight,
        "bias": op.bias,
        "multiplier": op.multiplier,
    }
    arguments = (Input(), Output(), tile.rows or RowCount(), Scratch())
    return Steps((KernelCall(function, "ev_linear", fields, arguments),))


def window_fields(op: Windowed, tile: Tile, pad_value: int) -> dict[str, Field]:
    height, width, channels = op.source.shape
    window = op.window
    return {
        "in_height": height,
        "in_width": width,
        "channels": channels,
        "out_width": op.output.shape[1],
        "kernel_h": window.size[0],
        "kernel_w": window.size[1],
        "stride_y": window.stride[0],
        "stride_x": window.stride[1],
        "dilation_y": window.dilation[0],
        "dilation_x": window.dilation[1],
        "pad_top": window.padding[0],
        "pad_left": window.padding[1],
        "pad_value": pad_value,
        "in_ring": tile.in_ring,
        "out_ring": tile.out_ring,
    }


def window_steps(tile: Tile, function: str, struct: str, fields: Mapping[str, Field]) -> Steps:
    arguments = (Input(), Output(), FirstRow(), tile.rows or RowCount(), Scratch())
    return Steps((KernelCall(function, struct, fields, arguments),))


def conv2d_steps(op: Conv2d, tile: Tile, function: str, weight: np.ndarray) -> Steps:
    fields = {
        "window": window_fields(op, tile, op.pad_value),
        "columns": len(op.weight),
        "groups": op.groups,
        "weight": weight,
        "bias": op.bias,
        "multiplier": op.multiplier,
    }
    return window_steps(tile, function, "ev_conv2d", fields)


def depthwise_steps(op: Depthwise, tile: Tile, function: str, weight: np.ndarray) -> Steps:
    fields = {
        "window": window_fields(op, tile, op.pad_value),
        "weight": weight,
        "bias": op.bias,
        "multiplier": op.multiplier,
    }
    return window_steps(tile, function, "ev_depthwise", fields)


def matmul_steps(op: MatMul, tile: Tile, pack: str, function: str, packed_bytes: int) -> Steps:
    """Return the steps of a product.

    Its right side is packed at the start of scratch, matrix by matrix.
    """
    (stack, rows, depth), right = op.inputs[0].shape, op.inputs[1].shape
    columns = right[1] if op.turned else right[2]
    fields = {
        "depth": depth,
        "columns": columns,
        "a_stride": depth,
        "b_stride": right[2],
        "y_stride": columns,
        "a_zero": op.zero,
        "bias": op.bias,
        "multiplier": op.multiplier,
        "b_transposed": int(op.turned),
    }
    a = Input(0, step=rows * depth)
    y = Output(step=rows * columns)
    packing = (Input(1, step=right[1] * right[2]), 0, right[1], Scratch())
    product = (a, Scratch(), y, tile.rows // stack, Scratch(aligned(packed_bytes)))
    return Steps(
        (
            KernelCall(pack, "ev_matmul", fields, packing),
            KernelCall(function, "ev_matmul", fields, product),
        ),
        stack,
    )


def aligned(count: int) -> int:
    return -(-count // 16) * 16


def plain_packed_bytes(op: MatMul) -> int:
    """Return the bytes of a packed right side: a sum for each column, then the columns."""
    columns = op.output.shape[2]
    return 4 * columns + columns * op.inputs[0].shape[2]


def stores_bytes(op: Linear | Conv2d | Depthwise) -> bool:
    return op.output.dtype == "int8"


def stores_halves(op: Linear | Conv2d | Depthwise) -> bool:
    return op.output.dtype == "int16"


def _linear(name: str, takes: Callable[[Linear], bool]) -> Card:
    def steps(op: Linear, tile: Tile) -> Steps:
        return linear_steps(op, tile, name, op.weight)

    return Card(
        name,
        Linear,
        "plain",
        (f"linear/{name}.c",),
        steps,
        takes=takes,
        row_costs=(4.0, 2.0, 4 / 3, 1.0),
    )


def _conv2d(name: str, takes: Callable[[Conv2d], bool]) -> Card:
    def steps(op: Conv2d, tile: Tile) -> Steps:
        return conv2d_steps(op, tile, name, op.weight)

    return Card(name, Conv2d, "plain", (f"conv2d/{name}.c",), steps, _gathered_windows, takes)


def _gathered_windows(op: Conv2d) -> int:
    """Return the scratch bytes of windows that are short enough to be gathered, as many as one core does at once."""
    taps = op.weight[0].size
    return _MOST_ROWS * taps if op.groups == 1 and taps <= _GATHERED else 0


def _depthwise(name: str, takes: Callable[[Depthwise], bool]) -> Card:
    def steps(op: Depthwise, tile: Tile) -> Steps:
        return depthwise_steps(op, tile, name, op.weight)

    return Card(name, Depthwise, "plain", (f"depthwise/{name}.c",), steps, takes=takes)


PLAIN_PRODUCTS: tuple[Card, ...] = (
    _linear("ev_linear_s8", stores_bytes),
    _linear("ev_linear_to_s16", stores_halves),
    _conv2d("ev_conv2d_s8", stores_bytes),
    _conv2d("ev_conv2d_to_s16", stores_halves),
    _depthwise("ev_depthwise_s8", stores_bytes),
    _depthwise("ev_depthwise_s16", stores_halves),
    Card(
        "ev_matmul_s8",
        MatMul,
        "plain",
        ("matmul/ev_matmul_pack_s8.c", "matmul/ev_matmul_s8.c"),
        lambda op, tile: matmul_steps(
            op, tile, "ev_matmul_pack_s8", "ev_matmul_s8", plain_packed_bytes(op)
        ),
        plain_packed_bytes,
        row_costs=(4.0, 2.0, 4 / 3, 1.0),
    ),
)
