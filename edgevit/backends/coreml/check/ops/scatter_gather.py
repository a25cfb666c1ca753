"""Gather and scatter. From iOS 17 on a negative index is undefined, before it counts from the end."""

from __future__ import annotations

import torch
from torch import Tensor

from edgevit.backends.coreml.check.ops.arguments import (
    Arguments,
    NotInterpretedError,
    OpFunction,
    axis_of,
)

IOS17_OPSET = 7
REDUCE = {"mul": "prod", "max": "amax", "min": "amin"}


def gather(a: Arguments) -> Tensor:
    x, indices, batch = a.tensor("x"), a.tensor("indices"), a.integer("batch_dims", 0)
    axis = axis_of(a.integer("axis", 0), x.dim())
    indices = legal(a, indices, x.shape[axis])
    if batch == 0:
        picked = x.index_select(axis, indices.reshape(-1))
        return picked.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    rows = [grid(n, i, batch) for i, n in enumerate(x.shape[:batch])]
    rows = [row.reshape(*row.shape, *[1] * (indices.dim() - batch)) for row in rows]
    picked = x.movedim(axis, batch)[(*rows, indices)]
    inner = list(range(batch, indices.dim()))
    return picked.movedim(inner, list(range(axis, axis + len(inner))))


def grid(size: int, place: int, rank: int) -> Tensor:
    return torch.arange(size).reshape([-1 if i == place else 1 for i in range(rank)])


def gather_along_axis(a: Arguments) -> Tensor:
    x, axis = a.tensor("x"), a.integer("axis", 0)
    return x.gather(axis, legal(a, a.tensor("indices"), x.shape[axis]))


def gather_nd(a: Arguments) -> Tensor:
    """Gather slices of `x` by index tuples.

    The last dimension of `indices` addresses the dimensions of `x` after the batch ones.
    """
    x, indices, batch = a.tensor("x"), a.tensor("indices"), a.integer("batch_dims", 0)
    sizes = x.shape[batch : batch + indices.shape[-1]]
    address = [legal(a, part, n) for part, n in zip(indices.unbind(-1), sizes, strict=True)]
    rank = indices.dim() - 1
    rows = [grid(n, i, rank) for i, n in enumerate(x.shape[:batch])]
    return x[(*rows, *address)]


def scatter(a: Arguments) -> Tensor:
    data, axis = a.tensor("data"), axis_of(a.integer("axis", 0), a.tensor("data").dim())
    indices = legal(a, a.tensor("indices"), data.shape[axis])
    shape = [-1 if i == axis else 1 for i in range(data.dim())]
    updates = a.tensor("updates")
    return scattered(
        data, axis, indices.reshape(shape).expand_as(updates), updates, a.text("mode", "add")
    )


def scatter_along_axis(a: Arguments) -> Tensor:
    data, axis = a.tensor("data"), a.integer("axis", 0)
    indices = legal(a, a.tensor("indices"), data.shape[axis])
    return scattered(data, axis, indices, a.tensor("updates"), a.text("mode", "add"))


def scatter_nd(a: Arguments) -> Tensor:
    """Scatter rows into `data`, whose addressed dimensions are flattened to one."""
    data, indices, updates = a.tensor("data"), a.tensor("indices"), a.tensor("updates")
    depth = indices.shape[-1]
    rows = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    for part, size in zip(indices.unbind(-1), data.shape[:depth], strict=True):
        rows = rows * size + legal(a, part, size)
    table, new = data.reshape(data.shape[:depth].numel(), -1), updates.reshape(rows.numel(), -1)
    places = rows.reshape(-1, 1).expand_as(new)
    return scattered(table, 0, places, new, a.text("mode", "add")).reshape(data.shape)


def scattered(data: Tensor, axis: int, indices: Tensor, updates: Tensor, mode: str) -> Tensor:
    if mode == "update":
        return data.scatter(axis, indices, updates)
    if mode in ("add", "sub"):
        return data.scatter_add(axis, indices, updates if mode == "add" else -updates)
    if mode == "div":
        return data / torch.ones_like(data).scatter_reduce(axis, indices, updates, "prod")
    if mode not in REDUCE:
        raise NotInterpretedError(f"scatter mode {mode!r}")
    return data.scatter_reduce(axis, indices, updates, REDUCE[mode])


def legal(a: Arguments, indices: Tensor, size: int) -> Tensor:
    indices = indices.long()
    if indices.numel() == 0:
        return indices
    low, high = indices.aminmax()
    if high >= size or low < (0 if a.opset >= IOS17_OPSET else -size):
        raise NotInterpretedError(
            f"index {int(high if high >= size else low)} into {size}: undefined on the device"
        )
    return torch.where(indices < 0, indices + size, indices) if low < 0 else indices


OPS: dict[str, OpFunction] = {
    "gather": gather,
    "gather_along_axis": gather_along_axis,
    "gather_nd": gather_nd,
    "scatter": scatter,
    "scatter_along_axis": scatter_along_axis,
    "scatter_nd": scatter_nd,
}
