"""Models that transform functions in their forward: `torch.vmap`, `torch.func.grad`, `torch.func.jvp`.

`torch.export` keeps the calls that open and close a transform, or loses track of the values inside. Traced below
them, a model is what the transformed functions compute.
"""

from __future__ import annotations

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.fx.experimental.proxy_tensor import make_fx

from edgevit.frontend import known_branches

_LOST = "fake tensor in the exported program constant's list"


def export(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> ExportedProgram:
    try:
        program = known_branches.export(module, inputs)
    except RuntimeError as error:
        if _LOST not in str(error):
            raise
        return _traced(module, inputs)
    return _traced(module, inputs) if _has_transforms(program) else program


def _has_transforms(program: ExportedProgram) -> bool:
    graphs = [m.graph for m in program.graph_module.modules() if isinstance(m, fx.GraphModule)]
    targets = (node.target for graph in graphs for node in graph.nodes)
    return any(getattr(t, "__module__", "").startswith("torch._functorch") for t in targets)


def _traced(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> ExportedProgram:
    graph = make_fx(module, record_stack_traces=True)(*inputs)
    return torch.export.export(graph, inputs, strict=False)
