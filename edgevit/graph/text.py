"""Text form of a program that a reviewer can read in a diff: one line a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch.fx.node import Node

from edgevit.graph.aten import op
from edgevit.graph.program import Program, value

_SHORT = {torch.float32: "f32", torch.float16: "f16", torch.float64: "f64", torch.int64: "i64", torch.int32: "i32",
          torch.int8: "i8", torch.uint8: "u8", torch.bool: "b1", torch.bfloat16: "bf16"}  # fmt: skip


def type_text(tensor: Any) -> str:
    """Format shape and type, as in `1x196x64 f32`."""
    if not isinstance(tensor, torch.Tensor):
        return "tuple" if isinstance(tensor, Sequence) else type(tensor).__name__
    extent = "x".join(str(n) for n in tensor.shape) or "scalar"
    return f"{extent} {_SHORT.get(tensor.dtype, str(tensor.dtype))}"


def graph_text(program: Program) -> str:
    return "\n".join(_line(node) for node in program.graph.nodes)


def _line(node: Node) -> str:
    if node.op == "output":
        return f"return {_argument(node.args[0])}"
    what = {"placeholder": "input", "get_attr": f"constant {node.target}"}.get(node.op) or _call(
        node
    )
    return f"{node.name} = {what} : {type_text(value(node))}"


def _call(node: Node) -> str:
    words = [_argument(a) for a in node.args] + [
        f"{key}={_argument(a)}" for key, a in node.kwargs.items()
    ]
    return f"{op(node)}({', '.join(words)})"


def _argument(item: Any) -> str:
    if isinstance(item, list | tuple):
        item = cast(Sequence[Any], item)
        return "[" + ", ".join(_argument(part) for part in item) + "]"
    return item.name if isinstance(item, Node) else str(item)
