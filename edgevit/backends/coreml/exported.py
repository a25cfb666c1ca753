"""A program -> the `ExportedProgram` that coremltools reads, without exporting again.

`torch.export` on the flat module takes seconds and `run_decompositions` as many again. All that is
missing is that constants are inputs of the graph, and the word of the ATen verifier that the graph is
functional: without it coremltools refuses the program ("Provided Dialect: TRAINING").
"""

from __future__ import annotations

import torch
from torch import fx
from torch._export.verifier import Verifier
from torch.export import ExportedProgram, ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.fx.node import Node
from torch.utils import _pytree as pytree

from edgevit.graph.program import Program


def exported_program(program: Program) -> ExportedProgram:
    graph, state, signature = _lift(program)
    structure = ModuleCallSignature(
        inputs=[],
        outputs=[],
        in_spec=pytree.tree_structure((program.inputs, {})),
        out_spec=pytree.tree_structure(tuple(program.inputs[:1] * len(program.output_names))),
    )
    return ExportedProgram(
        root={},
        graph=graph,
        graph_signature=signature,
        state_dict=state,
        range_constraints={},
        module_call_graph=[ModuleCallEntry("", structure)],
        example_inputs=(program.inputs, {}),
        verifiers=[Verifier],
    )


def _lift(program: Program) -> tuple[fx.Graph, dict[str, torch.Tensor], ExportGraphSignature]:
    """Constants first, then the user's inputs; one placeholder for each constant however often it is read."""
    graph, copies, inputs = fx.Graph(), {}, []
    placeholders: dict[str, Node] = {}
    for node in program.graph.nodes:
        if node.op != "get_attr":
            continue
        name = str(node.target)
        if name not in placeholders:
            placeholders[name] = _placeholder(graph, name.replace(".", "_"), node)
            inputs.append(InputSpec(InputKind.BUFFER, TensorArgument(placeholders[name].name), name, persistent=True))
        copies[node] = placeholders[name]
    for node in program.placeholders():
        copies[node] = _placeholder(graph, node.name, node)
        inputs.append(InputSpec(InputKind.USER_INPUT, TensorArgument(copies[node].name), None))
    for node in program.calls():
        copies[node] = graph.node_copy(node, lambda source: copies[source])
    outputs = [_own_value(graph, copies[node], repeated) for repeated, node in _repeats(program)]
    graph.output(tuple(outputs)).meta = {"val": tuple(node.meta["val"] for node in outputs)}
    state = {name: program.constants[name] for name in placeholders}
    specs = [OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(node.name), None) for node in outputs]
    return graph, state, ExportGraphSignature(inputs, specs)


def _placeholder(graph: fx.Graph, name: str, like: Node) -> Node:
    node = graph.placeholder(name)
    node.meta = dict(like.meta)
    return node


def _repeats(program: Program) -> list[tuple[bool, Node]]:
    """Each output, and whether it was returned before."""
    outputs = program.outputs()
    return [(node in outputs[:position], node) for position, node in enumerate(outputs)]


def _own_value(graph: fx.Graph, node: Node, repeated: bool) -> Node:
    """A value in a package has one name, so an input, a constant or a repeat needs a copy to be an output."""
    if node.op == "call_function" and not repeated:
        return node
    copy = graph.call_function(torch.ops.aten.clone.default, (node,))
    copy.meta = dict(node.meta)
    return copy
