"""Compressed weights. They are expanded once, when the package is read.

iOS 16 forms carry packed bytes and a `shape`; iOS 18 forms carry typed sub-byte tensors.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from edgevit.backends.coreml.check.element import BY_NAME, unpack_bits
from edgevit.backends.coreml.check.ops.arguments import Arguments, OpFunction
from edgevit.backends.coreml.check.ops.quantization import scale_and_zero


def affine_dequantize(a: Arguments) -> Tensor:
    data = a.tensor("quantized_data")
    scale, zero = scale_and_zero(a, data)
    return (data.float() - zero) * scale


def cast(a: Arguments) -> Tensor:
    return a.tensor("source_val")


def lut_to_dense(a: Arguments) -> Tensor:
    lut = a.tensor("lut")
    if "shape" not in a:
        axis = a.integer("vector_axis") if "vector_axis" in a else None
        return look_up(a.tensor("indices"), lut, axis)
    shape = a.ints("shape")
    bits = (lut.numel() - 1).bit_length()
    indices = unpacked(a.tensor("indices"), bits, prod(shape))
    return lut[indices.long()].reshape(shape)


def look_up(indices: Tensor, lut: Tensor, vector_axis: int | None) -> Tensor:
    """Replace indices by palette entries.

    `lut` is [groups per dimension of indices..., palette, vector].
    """
    *groups, palette, vector = lut.shape
    table = 0
    for axis, (count, size) in enumerate(zip(groups, indices.shape, strict=True)):
        group = torch.arange(size) // (size // count)
        table = table * count + group.reshape(
            [-1 if i == axis else 1 for i in range(indices.dim())]
        )
    entries = lut.reshape(-1, vector)[(table * palette + indices.long())]
    if vector == 1 or vector_axis is None:
        return entries[..., 0]
    axis = vector_axis % indices.dim()
    return entries.movedim(-1, axis + 1).flatten(axis, axis + 1)


def sparse_to_dense(a: Arguments) -> Tensor:
    values, mask = a.tensor("nonzero_data"), a.tensor("mask")
    if "shape" in a:
        shape = a.ints("shape")
        mask = unpacked(mask, 1, prod(shape)).reshape(shape)
    return dense(values, mask)


def dense(values: Tensor, mask: Tensor) -> Tensor:
    out = torch.zeros(mask.shape, dtype=values.dtype)
    out[mask != 0] = values
    return out


def blockwise_shift_scale(a: Arguments) -> Tensor:
    return shifted(a.tensor("data"), a.tensor("scale"), a.maybe("offset"))


def shifted(data: Tensor, scale: Tensor, offset: Tensor | None) -> Tensor:
    out = data.float()
    if offset is not None:
        out = out - spread(offset.float(), data)
    return out * spread(scale, data)


def spread(blocks: Tensor, data: Tensor) -> Tensor:
    """Repeat the one value of each block over the block."""
    for axis, size in enumerate(data.shape):
        blocks = blocks.repeat_interleave(size // blocks.shape[axis], axis)
    return blocks


def lut_to_sparse(a: Arguments) -> tuple[Tensor, ...]:
    mask, lut = a.tensor("indices_mask"), a.tensor("lut")
    axis = a.integer("vector_axis") if "vector_axis" in a else None
    values = look_up(dense(a.tensor("indices_nonzero_data"), mask), lut, axis)
    if axis is not None and lut.shape[-1] > 1:
        mask = mask.repeat_interleave(lut.shape[-1], axis)
    return mask, values[mask != 0]


def sparse_blockwise_shift_scale(a: Arguments) -> tuple[Tensor, ...]:
    mask = a.tensor("data_mask")
    values = shifted(dense(a.tensor("nonzero_data"), mask), a.tensor("scale"), a.maybe("offset"))
    return mask, values[mask != 0]


def unpacked(packed: Tensor, bits: int, count: int) -> Tensor:
    if bits == 8:
        return packed[:count]
    return torch.from_numpy(unpack_bits(packed.numpy(), BY_NAME[f"uint{bits}"], count))


OPS: dict[str, OpFunction] = {
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": cast,
    "constexpr_lut_to_dense": lut_to_dense,
    "constexpr_lut_to_sparse": lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": sparse_blockwise_shift_scale,
    "constexpr_sparse_to_dense": sparse_to_dense,
}
