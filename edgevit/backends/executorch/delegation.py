"""Part of a .pte that XNNPACK takes, read from the file's instructions, with the user's lines."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.backends.delegation import Delegation, Outside, grouped
from edgevit.backends.executorch.tool import module
from edgevit.backends.exported import name_in_program
from edgevit.errors import InternalError
from edgevit.graph.program import Program, origin


def delegation(path: Path, exported: Any, program: Program) -> Delegation:
    """Return the delegation of the .pte at `path`.

    `exported` is the graph that the file was written from. The file must agree with it instruction
    by instruction.
    """
    places = {node.name: origin(node).place for node in program.calls()}
    nodes = list(_kernel_calls(exported))
    kernels, delegates = _instructions(path)
    if kernels != [_kernel_name(node) for node in nodes]:
        raise InternalError(
            "the .pte does not hold the instructions it was written from",
            where=str(path),
            why=f"{len(kernels)} kernel calls in the file, {len(nodes)} in the graph",
        )
    outside = [
        Outside(
            name.partition("::")[2],
            places.get(name_in_program(node), ""),
            1,
            _bytes(node) + sum(map(_bytes, _read(node))),
        )
        for name, node in zip(kernels, nodes, strict=True)
    ]
    return Delegation("XNNPACK", delegates, _ops_inside(exported), grouped(outside))


def _instructions(path: Path) -> tuple[list[str], int]:
    """Return the kernels that the file calls, in order, and the number of its delegate calls."""
    read = module("exir._serialize._program").deserialize_pte_binary
    file = read(path.read_bytes())
    plan = getattr(file, "program", file).execution_plan[0]
    kernels, delegates = [], 0
    for chain in plan.chains:
        for instruction in chain.instructions:
            call = instruction.instr_args
            if hasattr(call, "delegate_index"):
                delegates += 1
            elif hasattr(call, "op_index"):
                kernels.append(plan.operators[call.op_index].name)
    return kernels, delegates


def _kernel_calls(exported: Any) -> Iterator[Node]:
    for node in exported.graph.nodes:
        if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):
            yield node


def _kernel_name(node: Node) -> str:
    assert isinstance(node.target, torch._ops.OpOverload)
    return node.target._schema.name


def _ops_inside(exported: Any) -> int:
    """Return the number of ops in the delegated graphs, before XNNPACK merges them."""
    count = 0
    for submodule in exported.graph_module.children():
        original = getattr(submodule, "original_module", None)
        if original is not None:
            count += sum(
                node.op == "call_function" and node.target is not operator.getitem
                for node in original.graph.nodes
            )
    return count


def _read(node: Node) -> list[Node]:
    """Return the node's inputs, without the memory that its results are written to."""
    return [source for source in node.all_input_nodes if source not in _written(node)]


def _written(node: Node) -> list[Any]:
    assert isinstance(node.target, torch._ops.OpOverload)
    return [node.kwargs.get(spec.name) for spec in node.target._schema.arguments if spec.is_out]


def _bytes(node: Node) -> int:
    output = node.meta.get("val")
    tensors = output if isinstance(output, list | tuple) else (output,)
    return sum(t.numel() * t.element_size() for t in tensors if isinstance(t, torch.Tensor))
