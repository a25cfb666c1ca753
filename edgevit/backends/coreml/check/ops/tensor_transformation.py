"""Operations that move elements without changing one of them."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.backends.coreml.check.ops.arguments import Arguments, OpFunction, axis_of


def reshape(a: Arguments) -> Tensor:
    x = a.tensor("x")
    return x.reshape(resolved_shape(list(x.shape), a.ints("shape")))


def resolved_shape(source: list[int], target: list[int]) -> list[int]:
    """Resolve 0 and -1 in the target shape.

    0 takes the source's size, counted from the right (1 past its end); -1 takes what remains.

    Before iOS 17 zeros need equal ranks, where left and right counting agree.
    """
    shift = len(source) - len(target)
    sizes = [source[i + shift] if i + shift >= 0 else 1 for i in range(len(target))]
    shape = [size if n == 0 else n for n, size in zip(target, sizes, strict=True)]
    if -1 in shape:
        elements = prod(n for n in shape if n != -1)
        shape[shape.index(-1)] = prod(source) // max(elements, 1)
    return shape


def reshape_like(a: Arguments) -> Tensor:
    begins, ends = [int(t) for t in a.tensors("begins")], [int(t) for t in a.tensors("ends")]
    masks = [bool(t) for t in a.tensors("end_masks")]
    shape: list[int] = []
    for ref, begin, end, open_ended in zip(
        a.tensors("ref_tensors"), begins, ends, masks, strict=True
    ):
        shape += ref.shape[begin:] if open_ended else ref.shape[begin:end]
    return a.tensor("x").reshape(shape)


def expand_dims(a: Arguments) -> Tensor:
    x, axes = a.tensor("x"), a.ints("axes")
    rank = x.dim() + len(axes)
    for axis in sorted(axis_of(n, rank) for n in axes):
        x = x.unsqueeze(axis)
    return x


def squeeze(a: Arguments) -> Tensor:
    """Remove axes of size 1, and ignore a listed axis of another size."""
    x = a.tensor("x")
    return x.squeeze(tuple(a.ints("axes"))) if "axes" in a else x.squeeze()


def transpose(a: Arguments) -> Tensor:
    return a.tensor("x").permute(a.ints("perm"))


def reverse(a: Arguments) -> Tensor:
    x = a.tensor("x")
    return x.flip(a.ints("axes", list(range(x.dim()))))


def reverse_sequence(a: Arguments) -> Tensor:
    x, lengths = a.tensor("x"), a.ints("lengths")
    sequence, batch = (axis_of(a.integer(n, 0), x.dim()) for n in ("seq_axis", "batch_axis"))
    rows = []
    for row, length in zip(x.split(1, batch), lengths, strict=True):
        head, tail = (
            row.narrow(sequence, 0, length),
            row.narrow(sequence, length, row.shape[sequence] - length),
        )
        rows.append(torch.cat([head.flip(sequence), tail], sequence))
    return torch.cat(rows, batch)


def slice_by_index(a: Arguments) -> Tensor:
    x = a.tensor("x")
    squeezed = flags(a, "squeeze_mask", x.dim())
    for axis, (start, stop, step) in enumerate(bounds(a, x)):
        x = take(x, axis, start, stop, step)
    return x.squeeze(tuple(i for i, gone in enumerate(squeezed) if gone))


def slice_update(a: Arguments) -> Tensor:
    x = a.tensor("x").clone()
    spans = [torch.arange(*span) for span in bounds(a, x)]
    x[torch.meshgrid(*spans, indexing="ij")] = a.tensor("update").reshape([len(s) for s in spans])
    return x


def bounds(a: Arguments, x: Tensor) -> list[tuple[int, int, int]]:
    """Return start, stop and step per dimension, resolved as Python's own slices are.

    A masked begin or end is absent; a squeezed dimension is the single element at begin.
    """
    rank = x.dim()
    begin, end = a.ints("begin", [0] * rank), a.ints("end", [0] * rank)
    stride = a.ints("stride", [1] * rank)
    no_begin, no_end, single = (
        flags(a, n, rank) for n in ("begin_mask", "end_mask", "squeeze_mask")
    )
    spans: list[tuple[int, int, int]] = []
    for i, size in enumerate(x.shape):
        if single[i]:
            at = 0 if no_begin[i] else axis_of(begin[i], size)
            spans.append((at, at + 1, 1))
        else:
            first, last = None if no_begin[i] else begin[i], None if no_end[i] else end[i]
            spans.append(slice(first, last, stride[i]).indices(size))
    return spans


def take(x: Tensor, axis: int, start: int, stop: int, step: int) -> Tensor:
    """Slice one axis.

    torch cannot slice backwards, so a negative step becomes a list of indices.
    """
    if (start, stop, step) == (0, x.shape[axis], 1):
        return x
    if step > 0:
        return x[(slice(None),) * axis + (slice(start, max(start, stop), step),)]
    return x.index_select(axis, torch.tensor(range(start, stop, step), dtype=torch.int64))


def flags(a: Arguments, name: str, rank: int) -> list[bool]:
    return [bool(n) for n in a.ints(name, [0] * rank)]


def slice_by_size(a: Arguments) -> Tensor:
    """Slice by begin and size; a size of -1 is the rest of the dimension."""
    x = a.tensor("x")
    for axis, (begin, size) in enumerate(zip(a.ints("begin"), a.ints("size"), strict=True)):
        begin = axis_of(begin, x.shape[axis])
        x = x.narrow(axis, begin, x.shape[axis] - begin if size == -1 else size)
    return x


def sliding_windows(a: Arguments) -> Tensor:
    x = a.tensor("x")
    axis = axis_of(a.integer("axis"), x.dim())
    return x.unfold(axis, a.integer("size"), a.integer("stride", 1)).movedim(-1, axis + 1)


def depth_to_space(a: Arguments) -> Tensor:
    """Move channel blocks to space.

    Block offsets are the slow part of the channel, unlike in `pixel_shuffle`, where they are the
    fast one.
    """
    x, b = a.tensor("x"), a.integer("block_size")
    n, c, h, w = x.shape
    return (
        x.reshape(n, b, b, c // (b * b), h, w)
        .permute(0, 3, 4, 1, 5, 2)
        .reshape(n, -1, h * b, w * b)
    )


def space_to_depth(a: Arguments) -> Tensor:
    x, b = a.tensor("x"), a.integer("block_size")
    n, c, h, w = x.shape
    return (
        x.reshape(n, c, h // b, b, w // b, b)
        .permute(0, 3, 5, 1, 2, 4)
        .reshape(n, -1, h // b, w // b)
    )


def pixel_shuffle(a: Arguments) -> Tensor:
    return F.pixel_shuffle(a.tensor("x"), a.integer("upscale_factor"))


def pixel_unshuffle(a: Arguments) -> Tensor:
    return F.pixel_unshuffle(a.tensor("x"), a.integer("downscale_factor"))


def space_to_batch(a: Arguments) -> Tensor:
    (bh, bw), (top, bottom, left, right) = a.ints("block_shape"), a.ints("paddings")
    x = F.pad(a.tensor("x"), [left, right, top, bottom])
    n, c, h, w = x.shape
    return (
        x.reshape(n, c, h // bh, bh, w // bw, bw)
        .permute(3, 5, 0, 1, 2, 4)
        .reshape(-1, c, h // bh, w // bw)
    )


def batch_to_space(a: Arguments) -> Tensor:
    x = a.tensor("x")
    (bh, bw), (top, bottom, left, right) = a.ints("block_shape"), a.ints("crops")
    n, c, h, w = x.shape
    x = (
        x.reshape(bh, bw, n // (bh * bw), c, h, w)
        .permute(2, 3, 4, 0, 5, 1)
        .reshape(-1, c, h * bh, w * bw)
    )
    return x[:, :, top : h * bh - bottom, left : w * bw - right]


OPS: dict[str, OpFunction] = {
    "batch_to_space": batch_to_space,
    "depth_to_space": depth_to_space,
    "expand_dims": expand_dims,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "reshape": reshape,
    "reshape_like": reshape_like,
    "reverse": reverse,
    "reverse_sequence": reverse_sequence,
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "slice_update": slice_update,
    "sliding_windows": sliding_windows,
    "space_to_batch": space_to_batch,
    "space_to_depth": space_to_depth,
    "squeeze": squeeze,
    "transpose": transpose,
}
