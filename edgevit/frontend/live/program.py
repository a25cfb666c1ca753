"""A `torch.export.ExportedProgram` as a model. It states its inputs, and its mode is fixed."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, TensorArgument
from torch.export.passes import move_to_device_pass
from torch.fx import Node
from torch.utils import _pytree as pytree

from edgevit.errors import ModelError, UsageError
from edgevit.frontend.images import random_images
from edgevit.frontend.live.inputs import ExampleInputs, Structured, read_inputs
from edgevit.frontend.request import Request
from edgevit.frontend.source import ModelSource


def program_source(program: ExportedProgram, example: object, request: Request) -> ModelSource:
    """Return the source of a program.

    `example` are the caller's inputs. None: those it was exported on, else random ones.
    """
    require_own_weights_and_shape(request)
    _refuse_training_mode(program, request.spec)
    _refuse_other_floats(program, request.spec)
    module = program.module()  # writes and compiles a forward
    inputs = _inputs(program, module, example, request)
    return ModelSource(
        spec=request.spec,
        name="program",
        module=module if inputs.by_position else Structured(module, inputs.structure),
        inputs=inputs.tensors,
        input_names=inputs.names,
        origin="torch.export",
        weights="as built",
        exported=program,
        structure=inputs.structure,
    )


def own_program(program: ExportedProgram) -> tuple[ExportedProgram, tuple[str, ...]]:
    """Return a copy of a program with weights of its own, on the CPU, and notes on what differs."""
    duplicate = copy.copy(program)
    duplicate._state_dict = {name: _own(tensor) for name, tensor in program.state_dict.items()}
    duplicate._constants = {name: _own(value) for name, value in program.constants.items()}
    tensors = [t for t in (*duplicate.state_dict.values(), *duplicate.constants.values()) if isinstance(t, torch.Tensor)]  # fmt: skip
    devices = {str(t.device) for t in tensors if t.device.type not in ("cpu", "meta")}
    if not devices:
        return duplicate, ()
    note = f"the program is on {', '.join(sorted(devices))}: a copy on the CPU is exported"
    return move_to_device_pass(duplicate, "cpu"), (note,)


def require_own_weights_and_shape(request: Request) -> None:
    """Refuse options that a program has no use for: it carries its weights and states its shape."""
    if request.weights not in (None, "as built"):
        raise UsageError("an exported program carries its weights", hint="leave out --weights")
    if request.input_size is not None or request.batch != 1:
        raise UsageError(
            "an exported program is for its input shape",
            hint="leave out --input-size and --batch, or start from the Python model",
        )


def _own(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    own = value.detach().clone()
    return nn.Parameter(own, requires_grad=False) if isinstance(value, nn.Parameter) else own


def _refuse_training_mode(program: ExportedProgram, where: str) -> None:
    """Refuse training mode: such a batch norm or dropout is baked into the graph and cannot be
    turned off.
    """
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        arguments = _named_arguments(node)
        training = arguments.get("training", arguments.get("train", False))
        if training is True and arguments.get("p", 1.0) != 0.0:
            raise ModelError(
                f"`{where}` was exported in training mode",
                where=node.name,
                why=f"{node.target} has training=True",
                hint="model.eval() before torch.export.export",
            )


def _named_arguments(node: Node) -> dict[str, object]:
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {}
    names = [a.name for a in schema.arguments]
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def _refuse_other_floats(program: ExportedProgram, where: str) -> None:
    for name, weight in program.state_dict.items():
        if weight.dtype in (torch.float16, torch.bfloat16, torch.float64):
            raise ModelError(
                f"`{where}` was exported with {weight.dtype} weights",
                where=name,
                why="its types are fixed, and it is compared in float32",
                hint="model.float() before torch.export.export: a precision is chosen by edgevit",
            )


def _inputs(
    program: ExportedProgram, module: nn.Module, example: object, request: Request
) -> ExampleInputs:
    structure = program.call_spec.in_spec
    assert structure is not None
    if example is None:
        tensors = _stated(program, request)
        positional, keywords = pytree.tree_unflatten(list(tensors), structure)
    else:
        positional, keywords = _arranged(module, example, request.spec)
    read = read_inputs(
        tuple(positional) if not keywords else {**_by_name(module, positional), **keywords},
        module.forward,
        request.spec,
    )
    if len(read.tensors) != structure.num_leaves:
        raise ModelError(
            f"the example inputs are not those that `{request.spec}` takes",
            where=request.spec,
            why=f"it was exported on {structure.num_leaves} tensors, and {len(read.tensors)} are given",
            hint="leave them out: the program has its own",
        )
    return ExampleInputs(read.tensors, read.names, structure)


def _arranged(module: nn.Module, example: object, where: str) -> tuple[Any, dict[str, Any]]:
    read = read_inputs(example, module.forward, where)
    return pytree.tree_unflatten(list(read.tensors), read.structure)


def _by_name(module: nn.Module, positional: tuple[Any, ...]) -> dict[str, Any]:
    names = list(inspect.signature(module.forward).parameters)
    return dict(zip(names, positional, strict=False))


def _stated(program: ExportedProgram, request: Request) -> tuple[Any, ...]:
    """Return the program's own example inputs, else random ones of the shapes that it states."""
    own = pytree.tree_leaves(program.example_inputs or ((), {}))
    if own:
        return tuple(own)
    values = {n.name: n.meta.get("val") for n in program.graph.find_nodes(op="placeholder")}
    shapes = [
        (index, values[spec.arg.name])
        for index, spec in enumerate(program.graph_signature.input_specs)
        if spec.kind == InputKind.USER_INPUT and isinstance(spec.arg, TensorArgument)
    ]
    return tuple(_random_like(value, request.seed + index) for index, value in shapes)


def _random_like(value: torch.Tensor, seed: int) -> torch.Tensor:
    shape = tuple(int(size) for size in value.shape)
    if not value.dtype.is_floating_point:
        return torch.zeros(shape, dtype=value.dtype)
    return random_images(shape, seed).to(value.dtype)
