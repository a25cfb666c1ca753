"""Effects of a call on the grid of its input: a move, a clamp, or an elementwise function."""

from __future__ import annotations

import math

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, is_elementwise, kind
from edgevit.graph.program import Program, has_tensor, shape, value

# The same numbers in another place or fewer of them: the grid stays.
MOVES = frozenset(
    {"reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose",
     "slice", "max_pool1d", "max_pool2d", "upsample_nearest2d", "expand", "alias", "clone", "contiguous",
     "detach", "dropout", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle"}
)  # fmt: skip
ORDERS = frozenset({"topk", "sort", "argsort", "argmax", "argmin", "max", "min"})
PROJECTIONS = frozenset({"linear", "conv1d", "conv2d"})
_CASTS = frozenset({"to", "_to_copy"})  # of a mask, to zeros and ones
_BOUNDS = {
    "hardtanh": ("min_val", "max_val"),
    "clamp": ("min", "max"),
    "clamp_min": ("min", ""),
    "clamp_max": ("", "max"),
}
_FIXED = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0)}


def is_real(node: Node) -> bool:
    """Check for a tensor of floating point numbers."""
    fake = node.meta.get("val")
    return isinstance(fake, torch.Tensor) and fake.is_floating_point()


def is_truth(node: Node) -> bool:
    fake = node.meta.get("val")
    return isinstance(fake, torch.Tensor) and fake.dtype == torch.bool


def is_move(node: Node) -> bool:
    """Check for a call that only moves values.

    A pad with zeros is a move, as zero is on every grid.
    """
    if kind(node) in {"constant_pad_nd", "pad"}:
        return pad_value(node) == 0.0
    return node.op == "call_function" and kind(node) in MOVES


def is_view(node: Node) -> bool:
    """Check for a call that returns exactly its input's numbers, all of them."""
    return kind(node) in MOVES - {
        "slice",
        "max_pool1d",
        "max_pool2d",
        "upsample_nearest2d",
        "expand",
    }


def pad_value(node: Node) -> float | None:
    """Return the number that a pad fills with; None for another mode."""
    if kind(node) == "pad" and argument(node, "mode") != "constant":
        return None
    return float(argument(node, "value") or 0.0)


def bounds(node: Node) -> tuple[float, float] | None:
    """Return the bounds of a clamp by numbers; None for other calls."""
    if kind(node) in _FIXED:
        return _FIXED[kind(node)]
    if kind(node) not in _BOUNDS:
        return None
    limits = [argument(node, name) if name else None for name in _BOUNDS[kind(node)]]
    if any(isinstance(one, Node) for one in limits):
        return None
    least, most = limits
    return (-math.inf if least is None else float(least), math.inf if most is None else float(most))


def averages_parts(node: Node) -> bool:
    """Check for an average of several parts of an image; not of the whole."""
    return kind(node) == "adaptive_avg_pool2d" and shape(node)[-2:] != (1, 1)


def is_norm_without_bias(node: Node) -> bool:
    return kind(node) in {"layer_norm", "group_norm", "rms_norm"} and (
        kind(node) == "rms_norm" or argument(node, "bias") is None
    )


def sources(node: Node, program: Program) -> list[Node]:
    """List the values that a call reads, without constants."""
    return [read for read in node.all_input_nodes if not is_constant(read, program)]


def is_constant(node: object, program: Program) -> bool:
    return (
        isinstance(node, Node) and node.op == "get_attr" and str(node.target) in program.constants
    )


def number(argument: object, program: Program) -> float | None:
    """Return a number, or the element of a one-element constant; None for anything else."""
    if isinstance(argument, Node):
        if not is_constant(argument, program) or value(argument).numel() != 1:
            return None
        return float(program.constants[str(argument.target)])
    return float(argument) if isinstance(argument, int | float) else None


def is_pointwise(node: Node, program: Program) -> bool:
    """Check for an elementwise call.

    Each number of the result depends on one at the same place, and otherwise only on constant
    numbers.
    """
    if node.op != "call_function" or not has_tensor(node):
        return False
    read = sources(node, program)
    casts = kind(node) in _CASTS and all(map(is_truth, read)) and is_real(node)
    if not is_elementwise(node) and not casts:
        return False
    if not all(is_real(one) or is_truth(one) for one in read):
        return False
    alone = all(
        value(constant).numel() == 1
        for constant in node.all_input_nodes
        if is_constant(constant, program)
    )
    return bool(read) and alone and all(shape(one) == shape(node) for one in read)
