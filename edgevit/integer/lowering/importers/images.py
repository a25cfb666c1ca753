"""Operations on images: height x width x channels, one image at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch.fx.node import Node

from edgevit.integer.graph import Value
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.layout import TensorLayout
from edgevit.integer.lowering.relayout import by_axes
from edgevit.integer.ops.moves import Concat, Slice

OnImage = Callable[[Value, str], Value]  # the image and a name for the result -> the result


def each_image(node: Node, tensor: QuantTensor, context: Context, work: OnImage) -> QuantTensor:
    """Apply `work` to each image of a torch tensor N x C x H x W, or N x C x W.

    The images of a stack are cut out and put together again. The factor of the value is left to the
    caller.

    The factor of the value is left to the caller.
    """
    builder = context.builder
    rank = tensor.layout.rank
    if rank not in (3, 4):
        raise NotLoweredError(f"it is of {rank} axes")
    count = tensor.shape[0]
    order = [0, *range(2, rank), 1]
    tensor = by_axes(tensor, order, builder)
    high = tensor.shape[2] if rank == 4 else 1
    image = (high, tensor.shape[-1], tensor.shape[1])
    if count == 1:
        result = work(builder.shaped(tensor.value, image), node.name)
        return QuantTensor(result, _layout(1, result.shape, order))
    stack = builder.shaped(tensor.value, (count, *image))
    parts = [
        work(_cut(stack, index, image, context), f"{node.name}.{index}") for index in range(count)
    ]
    size = parts[0].shape
    whole = builder.like(parts[0], node.name, (count, *size))
    raised = tuple(builder.shaped(part, (1, *size)) for part in parts)
    result = builder.add(Concat(raised, whole, 0))
    return QuantTensor(result, _layout(count, size, order))


def _cut(stack: Value, index: int, image: Sequence[int], context: Context) -> Value:
    builder = context.builder
    output = builder.like(stack, f"{stack.name}.{index}", (1, *image))
    return builder.shaped(builder.add(Slice((stack,), output, 0, index)), image)


def _layout(count: int, size: Sequence[int], order: Sequence[int]) -> TensorLayout:
    high, wide, channels = size
    shape = (count, channels, high, wide) if len(order) == 4 else (count, channels, wide)
    return TensorLayout.plain(shape, order)
