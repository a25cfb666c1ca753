"""ExecuTorch's searches for patterns, left out where a graph lacks an op that the patterns have.

For its patterns XNNPACK's lowering traces and converts small nets of its own, which takes longer than a
small model. Interpolation reaches it whole, and attention without the guard of torch's decomposition.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from torch.fx import GraphModule
from torch.fx.passes.infra.pass_base import PassResult

from edgevit.backends.executorch.tool import module

# By module and pass: an op of each of its patterns but those that it leaves as they are.
SEARCHES = {
    ("convert_to_upsample_bilinear2d", "ConvertToUpsampleBilinear2d"): "aten.index.Tensor",
    ("convert_to_sdpa", "ConvertToSDPAPass"): "aten.any.dim",
}


@contextmanager
def vain_searches_skipped() -> Generator[None]:
    ops = {
        getattr(module(f"backends.xnnpack._passes.{file}"), name): op
        for (file, name), op in SEARCHES.items()
    }
    searches = {kind: kind.call for kind in ops}
    for kind, op in ops.items():
        kind.call = _where_it_may_match(kind.call, op)
    try:
        yield
    finally:
        for kind, search in searches.items():
            kind.call = search


def _where_it_may_match(
    search: Callable[[Any, GraphModule], PassResult], op: str
) -> Callable[[Any, GraphModule], PassResult]:
    def call(self: Any, graph_module: GraphModule) -> PassResult:
        if any(getattr(n.target, "__name__", "") == op for n in graph_module.graph.nodes):
            return search(self, graph_module)
        return module("exir.pass_base").ExportPass.call(self, graph_module)

    return call
