"""Static cost of a graph: multiply-accumulates, bytes moved, parameters, op counts.

No device needed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from math import prod

from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, op, operand, operand_list
from edgevit.graph.program import Program, shape, value

CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d", "convolution"})
TRANSPOSES = frozenset(
    {"transpose", "permute", "t", "numpy_T", "movedim", "swapaxes", "mT", "adjoint"}
)
MATMULS = frozenset({"matmul", "bmm", "mm", "mv", "baddbmm", "addmm"})
# Reading these moves nothing: the result is another view of the same bytes, or a tuple.
FREE = frozenset(
    {"getitem", "view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "alias", "expand", "expand_as", "split",
     "split_with_sizes", "chunk", "unbind", "select", "slice", "detach", "dropout", "view_as", "_assert_tensor_metadata"}
)  # fmt: skip


@dataclass(frozen=True)
class GraphStats:
    """The figures of `graph.before` and `graph.after` in `edgevit.json`."""

    ops: int
    convs: int
    macs: int
    params: int
    transposes: int
    bytes_moved: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def stats(program: Program) -> GraphStats:
    calls = list(program.calls())
    return GraphStats(
        ops=sum(op(node) != "getitem" for node in calls),
        convs=sum(kind(node) in CONVOLUTIONS for node in calls),
        macs=sum(macs(node) for node in calls),
        params=sum(
            tensor.numel() for tensor in program.constants.values() if tensor.is_floating_point()
        ),
        transposes=sum(kind(node) in TRANSPOSES for node in calls),
        bytes_moved=sum(bytes_moved(node) for node in calls),
    )


def op_counts(program: Program) -> dict[str, int]:
    counts = Counter(op(node) for node in program.calls())
    return dict(counts.most_common())


def macs(node: Node) -> int:
    """Count the multiply-accumulates of one call.

    Only products of two tensors count; a batch norm or a pool has none.
    """
    name = kind(node)
    if name in CONVOLUTIONS:
        weight = shape(argument(node, "weight"))
        return prod(shape(node)) * prod(weight[1:])
    if name == "conv_transpose2d":
        return prod(shape(argument(node, "input"))) * prod(shape(argument(node, "weight"))[1:])
    if name == "linear":
        return prod(shape(node)) * shape(argument(node, "weight"))[1]
    if name in {"addmm", "baddbmm"}:
        return prod(shape(node)) * shape(operand(node, 1))[-1]
    if name in MATMULS:
        return prod(shape(node)) * shape(operand(node))[-1]
    if name == "scaled_dot_product_attention":
        query, keys, out = shape(operand(node)), shape(operand(node, 1)), shape(node)
        return prod(query) * keys[-2] + prod(out) * keys[-2]
    if name == "einsum":
        return _einsum_macs(node)
    return 0


def _einsum_macs(node: Node) -> int:
    """Return the product of all index extents: the cost of the contraction done at once."""
    terms = str(node.args[0]).replace(" ", "").split("->")[0].split(",")
    extents: dict[str, int] = {}
    for term, source in zip(terms, operand_list(node, 1), strict=True):
        size = list(shape(source))
        head, _, tail = term.partition("...")
        if "..." in term:
            middle = len(size) - len(head) - len(tail)
            extents["..."] = max(extents.get("...", 1), prod(size[len(head) : len(head) + middle]))
            size = size[: len(head)] + size[len(head) + middle :]
        extents.update(zip(head + tail, size, strict=True))
    return prod(extents.values()) if len(terms) > 1 else 0


def bytes_moved(node: Node) -> int:
    """Count bytes read and written if every call goes to memory, constants included."""
    if kind(node) in FREE or not hasattr(value(node), "shape"):
        return 0
    return sum(_size(other) for other in (node, *node.all_input_nodes))


def _size(node: Node) -> int:
    tensor = value(node)
    return tensor.numel() * tensor.element_size() if hasattr(tensor, "numel") else 0
