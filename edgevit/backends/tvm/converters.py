"""Ops that TVM's importer does not know, said in relax. A line in the table each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.fx.node import Node

from edgevit.backends.tvm.tool import tvm
from edgevit.graph.aten import argument


def _extreme(name: str) -> Callable[[Node, Any], Any]:
    def convert(node: Node, importer: Any) -> Any:
        relax = tvm("relax")
        axes = argument(node, "dim") or None
        reduced = getattr(relax.op, name)(
            importer.env[node.args[0]],
            axis=list(axes) if axes else None,
            keepdims=argument(node, "keepdim"),
        )
        return importer.block_builder.emit(reduced)

    return convert


CONVERTERS: dict[str, Callable[[Node, Any], Any]] = {
    "amax.default": _extreme("max"),
    "amin.default": _extreme("min"),
}
