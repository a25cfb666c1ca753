"""Conversion of a program to the `ExportedProgram` that coremltools reads, without a new export.

`torch.export` on the flat module takes seconds and `run_decompositions({})` as many again. Only two
things are missing: constants as inputs of the graph, and the ATen verifier's confirmation that the
graph is functional. Without it coremltools refuses the program ("Provided Dialect: TRAINING").
"""

from __future__ import annotations

import torch
from torch import fx
from torch._export.verifier import SpecViolationError, Verifier
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

from edgevit.backends.by_position import spell_by_position
from edgevit.graph.aten import op
from edgevit.graph.program import Program

NODE = "edgevit"  # key in `node.meta["custom"]`, which decompositions keep: the name of the program's node


def name_in_program(node: Node) -> str:
    """Return the name of the program's node that `node` was made from; "" if unknown."""
    return (node.meta.get("custom") or {}).get(NODE, "")


def exported_program(
    program: Program, by_position: frozenset[str] = frozenset()
) -> ExportedProgram:
    """Return the program as an `ExportedProgram` that coremltools reads.

    Calls of the ops in `by_position` have all arguments positional, as coremltools reads them. A
    program that is not functional goes through `torch.export` again, which renames its nodes.
    """
    try:
        return _lifted(program, by_position)
    except SpecViolationError:
        # Not functional after all: torch's own way round, which renames the nodes.
        return torch.export.export(program.module(), program.inputs).run_decompositions({})


def _lifted(program: Program, by_position: frozenset[str]) -> ExportedProgram:
    graph, state, signature = _lift(program)
    for node in graph.nodes:
        if op(node) in by_position:
            spell_by_position(node)
    structure = ModuleCallSignature(
        inputs=[],
        outputs=[],
        in_spec=pytree.tree_structure((program.inputs, {})),
        out_spec=pytree.tree_structure(tuple(program.output_names)),
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
    """Copy the graph with constants as inputs, in front of the user's inputs.

    A constant has one placeholder, however often it is read.
    """
    graph = fx.Graph()
    copies: dict[Node, Node] = {}
    inputs: list[InputSpec] = []
    lifted: dict[str, Node] = {}
    for node in program.graph.nodes:
        if node.op != "get_attr":
            continue
        name = str(node.target)
        if name not in lifted:
            lifted[name] = _placeholder(graph, name.replace(".", "_"), node)
            inputs.append(
                InputSpec(InputKind.BUFFER, TensorArgument(lifted[name].name), name, True)
            )
        copies[node] = lifted[name]
    for node in program.placeholders():
        copies[node] = _placeholder(graph, node.name, node)
        inputs.append(InputSpec(InputKind.USER_INPUT, TensorArgument(copies[node].name), None))
    for node in program.calls():
        copies[node] = graph.node_copy(node, lambda source: copies[source])
        copies[node].meta["custom"] = {NODE: node.name}
    results = program.outputs()
    outputs = [
        _own_value(graph, copies[node], node in results[:position])
        for position, node in enumerate(results)
    ]
    graph.output(tuple(outputs)).meta = {"val": tuple(node.meta["val"] for node in outputs)}
    specs = [OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(o.name), None) for o in outputs]
    state = {name: _whole(program.constants[name]) for name in lifted}
    return graph, state, ExportGraphSignature(inputs, specs)


def _placeholder(graph: fx.Graph, name: str, like: Node) -> Node:
    """Add a placeholder called `name` with the metadata of `like`.

    Its target becomes a Python argument, and layers may be called `0`, `conv-1` or `lambda`. The
    name that fx gives the node is a valid one.
    """
    node = graph.placeholder(name)
    node.target = node.name
    node.meta = dict(like.meta)
    return node


def _own_value(graph: fx.Graph, node: Node, repeated: bool) -> Node:
    """Return `node`, or a copy if it is an input, a constant or a repeat.

    A value in a package has one name, so such an output needs a value of its own.

    `aten.copy` becomes an `identity` that no pass removes; `aten.clone` would become nothing.
    """
    if node.op == "call_function" and not repeated:
        return node
    copy = graph.call_function(torch.ops.aten.copy.default, (node, node))
    copy.meta = dict(node.meta)
    return copy


def _whole(constant: torch.Tensor) -> torch.Tensor:
    """Return the constant as all of its memory: a converter may read a part of a tensor from the first byte."""
    constant = constant.contiguous()
    is_part = constant.untyped_storage().nbytes() > constant.numel() * constant.element_size()
    return constant.clone() if is_part else constant
