"""Capture of a module and its example inputs as a `Program`, by `torch.export`, before any
decomposition.
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import torch
from torch import fx
from torch.fx.graph import CodeGen
from torch.fx.node import Node
from torch.utils import _pytree as pytree

from edgevit.errors import CaptureError, EdgevitError
from edgevit.frontend.batch_norm_shapes import batch_norms_by_shape
from edgevit.frontend.fake_quant import pairs_for_fake_quant
from edgevit.frontend.functional import NotFunctionalError, make_functional
from edgevit.frontend.inline import inline_modes
from edgevit.frontend.kernels import module_of, replacement_hint, traced_kernel
from edgevit.frontend.lines import last_line_of_user, source_of_trace
from edgevit.frontend.masked_writes import choose_by_masks
from edgevit.frontend.plain_names import with_plain_names
from edgevit.frontend.read_numbers import keep_numbers_in_tensors
from edgevit.frontend.source import ModelSource
from edgevit.frontend.transforms import export
from edgevit.frontend.user_code import ended_by_user
from edgevit.frontend.vector_products import multiply_vectors
from edgevit.frontend.wrappers import is_wrapper
from edgevit.graph.aten import call_of, kind
from edgevit.graph.cheaper_passes import cheaper_passes, stacks_of_forwards
from edgevit.graph.edit import row_by_row
from edgevit.graph.parity import FP32, distance
from edgevit.graph.program import Origin, Program
from edgevit.support.silence import quiet

_VIEWS = frozenset({torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default})


def capture(source: ModelSource) -> Program:
    try:
        return _captured(source)
    except EdgevitError:
        raise
    except Exception as error:
        raise _capture_error(error, source.module) from error


def _captured(source: ModelSource) -> Program:
    if source.split is not None:
        return source.split.body
    exported = source.exported or _export(source.module, source.inputs)
    program = program_of(exported, source.name, source.inputs, source.input_names)
    if len(source.output_names) == len(program.output_names):
        program = replace(program, output_names=source.output_names)
    if source.kept is not None:
        after = tuple(f"{name}_next" for name in source.kept.names)
        program = replace(program, output_names=(*program.output_names[: -len(after)], *after))
    return program


def _export(
    module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]
) -> torch.export.ExportedProgram:
    try:
        with torch.no_grad(), quiet("torch"), cheaper_passes(), stacks_of_forwards(), batch_norms_by_shape():  # fmt: skip
            return export(module, inputs)
    except SystemExit as error:
        raise ended_by_user(error) from error


def _capture_error(error: Exception, model: torch.nn.Module) -> CaptureError:
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    data_dependent = (
        "data-dependent" in str(error).lower() or "DataDependent" in type(error).__name__
    )
    module = module_of(error, model)
    kernel = traced_kernel(error)
    way = (
        "write it with PyTorch's ops"
        if kernel
        else "make the branch static, use `torch.where`, or `torch.cond` with both sides of one shape"
        if data_dependent
        else "make `torch.export.export(model, inputs)` work on its own, then come back"
    )
    return CaptureError(
        "the model's control flow depends on its data"
        if data_dependent
        else "torch.export cannot capture the model",
        where=f"{module}  {last_line_of_user(error)}".strip(),
        why=kernel or first.strip()[:400],
        hint=f"{way}; or {replacement_hint(module)}",
    )


def program_of(
    exported: torch.export.ExportedProgram,
    name: str,
    inputs: tuple[torch.Tensor, ...],
    input_names: tuple[str, ...],
) -> Program:
    """Return the flat, unlifted, functional form of an exported program."""
    gm = _flat_module(exported)
    plain = True
    try:
        make_functional(gm.graph)
    except NotFunctionalError:
        plain = False
        with quiet("torch"), cheaper_passes():
            functional = exported.run_decompositions({})
        gm = _flat_module(functional)
    choose_by_masks(gm.graph)
    _require_static(gm.graph)
    constants = {
        str(n.target): _attribute(gm, str(n.target)) for n in gm.graph.nodes if n.op == "get_attr"
    }
    output_names = _name_outputs(exported)
    leaves = pytree.tree_leaves(gm.graph.output_node().args[0], is_leaf=lambda item: item is None)
    outputs = [
        (name, leaf)
        for name, leaf in zip(output_names, leaves, strict=True)
        if isinstance(leaf, Node) and isinstance(leaf.meta["val"], torch.Tensor)
    ]
    if not outputs:
        raise CaptureError(
            "the model returns no tensor", hint="return the tensor the device should compute"
        )
    gm.graph.output_node().args = (tuple(leaf for _, leaf in outputs),)
    keep_numbers_in_tensors(gm.graph)
    multiply_vectors(gm.graph)
    program = Program(
        name, gm.graph, constants, inputs, input_names, tuple(name for name, _ in outputs)
    )
    program = pairs_for_fake_quant(program)
    if not plain:
        _require_all_writes(exported, program)
    return program


def _require_all_writes(exported: torch.export.ExportedProgram, program: Program) -> None:
    """Check the program against the model, because torch's functionalisation does not know every
    view.

    A write into what `einsum` returned is lost, and one into `y.flatten(1)` where the kernel laid `y` out in
    another order than torch's own tracing foresaw.
    """
    with torch.no_grad():
        results = exported.module(check_guards=False)(*(x.clone() for x in program.inputs))
    expected = [leaf for leaf in pytree.tree_leaves(results) if isinstance(leaf, torch.Tensor)]
    same_number = len(expected) == len(program.output_names)
    if same_number and distance(expected, program.run()).rel_l2 <= FP32.max_rel_l2:
        return
    raise CaptureError(
        "torch.export loses a write in place",
        why="the model writes into a tensor that shares its memory with another, and the graph does not show it",
        hint="write `y = y * 2` instead of `y *= 2` where `y` comes out of `einsum` or another view",
    )


def _flat_module(exported: torch.export.ExportedProgram) -> fx.GraphModule:
    """Flatten to tensors in, tensors out.

    Every node has its origin and its fake value; run-time assertions are dropped.
    """
    with cheaper_passes(), quiet("torch"):
        gm = with_plain_names(exported).module(check_guards=False)
    gm.graph.set_codegen(CodeGen())
    _drop_assertions(gm)
    inline_modes(gm)
    _drop_assertions(gm)
    fake_mode = next(n for n in gm.graph.nodes if n.op == "placeholder").meta["val"].fake_mode
    for node in list(gm.graph.nodes):
        if node.target in _VIEWS:
            # Memory views do not matter here, and they fail once a rule has dropped a `contiguous`.
            node.target = torch.ops.aten.reshape.default
        fake = node.meta.get("val")
        if node.op == "get_attr" and fake is None:
            fake = fake_mode.from_tensor(_attribute(gm, str(node.target)), static_shapes=True)
        if node.op in {"get_attr", "placeholder"} and isinstance(fake, torch.Tensor):
            fake = fake.contiguous()  # the memory order does not matter to a device
        node.meta = {"origin": _origin(node), "val": fake}
    return gm


def _drop_assertions(gm: fx.GraphModule) -> None:
    for node in list(gm.graph.nodes):
        if str(node.target).startswith("aten._assert") and not node.users:
            gm.graph.erase_node(node)


def _attribute(module: torch.nn.Module, path: str) -> torch.Tensor:
    tensor = operator.attrgetter(path)(module)
    if not isinstance(tensor, torch.Tensor):
        raise CaptureError(
            f"the model's forward reads a {type(tensor).__name__} while it runs",
            why="only tensors can be stored in an artifact",
            hint="make what it gives when the model is built, and keep it as a buffer",
        )
    return row_by_row(tensor.detach())


def _origin(node: Node) -> Origin:
    stack = [*(node.meta.get("nn_module_stack") or {}).values()]
    path = stack[-1][0].removeprefix("L['self'].") if stack else ""
    ours = sum(is_wrapper(kind) for _, kind in stack)
    module = ".".join(path.split(".")[ours:])  # the user's path: without our wrappers' `model.`
    return Origin(module, source_of_trace(node.meta.get("stack_trace") or ""))


def _name_outputs(exported: torch.export.ExportedProgram) -> list[str]:
    """Name the outputs: `logits` for a dictionary or a dataclass with that field, `output` for a
    lone tensor, else by position.
    """
    spec = exported.call_spec.out_spec
    assert spec is not None
    count = spec.num_leaves
    if count == 1 and not _has_keys(spec):
        return ["output"]
    paths = [
        path
        for path, _ in pytree.tree_flatten_with_path(
            pytree.tree_unflatten(list(range(count)), spec)
        )[0]
    ]
    names = ["_".join(_key(part) for part in path) for path in paths]
    return [name if not name.isdigit() else f"output_{name}" for name in names]


def _has_keys(spec: pytree.TreeSpec) -> bool:
    return isinstance(spec.context, list) and bool(spec.context)


def _key(part: Any) -> str:
    return str(getattr(part, "key", getattr(part, "idx", getattr(part, "name", part))))


def _extent(size: int | torch.SymInt) -> str:
    return str(size) if isinstance(size, int) else str(size.node.expr)


def _require_static(graph: fx.Graph) -> None:
    for node in graph.nodes:
        fake = node.meta.get("val")
        if isinstance(fake, torch.Tensor) and not all(isinstance(n, int) for n in fake.shape):
            raise CaptureError(
                f"`{kind(call_of(node))}` has a shape that is known only at run time: [{', '.join(map(_extent, fake.shape))}]",
                where=str(node.meta["origin"]),
                why="devices plan memory ahead, so every shape must be static",
                hint="export with fixed sizes; write `torch.where` for `nonzero` and boolean masks; or "
                + replacement_hint(node.meta["origin"].module),
            )
