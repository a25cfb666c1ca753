"""Lowering of a program to a TFLite flatbuffer, through the inner stages of litert-torch.

`litert_torch.convert` exports the module once more, and calls inputs and outputs `args_0` and
`output_0`. Here its passes run on the program as it is. Names and places in the user's model are
kept, and one export is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from edgevit.backends.exported import exported_program, name_in_program
from edgevit.backends.tflite.constant_types import give_types
from edgevit.backends.tflite.decompositions import register
from edgevit.backends.tflite.dynamic import is_dynamic, read_integer_weights, with_float_rows
from edgevit.backends.tflite.fences import (
    fence_names,
    remove_floors,
    with_fenced_vectors,
    with_floors,
)
from edgevit.backends.tflite.tool import litert
from edgevit.graph.aten import kind
from edgevit.graph.program import Program

SIGNATURE = "serving_default"  # what apps ask an interpreter for


@dataclass(frozen=True)
class _Signature:
    """Subset of litert-torch's own class that is read after the export."""

    name: str
    flat_arg_names: list[str]


def convert(program: Program, path: Path, progress: Callable[[str], None] = lambda _: None) -> None:
    """Convert the program and write the file at `path`."""
    converter = litert("_convert.litert_converter")
    progress("decompose")
    fences = fence_names(program)
    if not is_quantized(program):  # it would be an island of floats there
        program, vectors = with_fenced_vectors(program)
        fences |= vectors
    exported = decomposed(program)
    outputs = pytree.tree_structure(dict.fromkeys(program.output_names, 0))
    exported.module_call_graph[0].signature.out_spec = outputs  # type: ignore[union-attr]
    progress("convert")
    signature = _Signature(SIGNATURE, list(program.input_names))
    if is_quantized(program):
        with _float_inputs_and_outputs(converter):
            exporter = converter.exported_programs_to_flatbuffer(
                [exported], [signature], quant_config=_integers()
            )
    else:
        exporter = converter.exported_programs_to_flatbuffer([exported], [signature])
    progress("save")
    exporter.to_file(path)
    if fences:
        remove_floors(path, fences)
    if is_dynamic(program):
        read_integer_weights(path)
    give_types(program, path)


def _mended_later(program: Program) -> Program:
    """Return the program as the converter reads it. The file is mended when it has been written."""
    program = with_floors(program) if fence_names(program) else program
    return with_float_rows(program) if is_dynamic(program) else program


def is_quantized(program: Program) -> bool:
    return any(kind(node).startswith("quantize_per") for node in program.calls())


def _integers() -> Any:
    """Return the setting by which the converter turns pairs into integer kernels.

    Without it the file computes in floats between a dequantize and a quantize.
    """
    modes = litert("quantize.quant_config").QuantConfig._QuantizerMode
    return SimpleNamespace(_quantizer_mode=modes.PT2E_STATIC)


@contextmanager
def _float_inputs_and_outputs(converter: Any) -> Iterator[None]:
    """Let the converter keep the quantize call behind an input and the dequantize before an output.

    Otherwise it gives the file inputs of integers, whose type the program's signature contradicts.
    The switch is a field of the configuration that the converter makes itself.
    """
    api = converter.converter_api_ext
    make = api.ConvertToTFLConfig

    def strict() -> Any:
        config = make()
        config.strict_qdq_mode = True
        return config

    api.ConvertToTFLConfig = strict
    try:
        yield
    finally:
        api.ConvertToTFLConfig = make


def decomposed(program: Program) -> ExportedProgram:
    """Decompose the program to core ATen, with the layouts that TFLite prefers."""
    infra, core = litert("fx_infra"), litert("_convert.core")
    register()
    exported = _with_plain_weights(
        _marked(exported_program(_own_constants(_mended_later(program))))
    )
    table = infra.decomp.pre_convert_decomp()
    exported = infra.safe_run_decompositions(exported, table, can_skip=False)
    return core._run_convert_passes(exported)


def fully_decomposed(exported: ExportedProgram) -> ExportedProgram:
    """Return the decomposed program in which litert-torch looks up its lowerings."""
    infra = litert("fx_infra")
    table = infra.decomp.pre_lower_decomp()
    return infra.safe_run_decompositions(exported, table, can_skip=False)


def marked_name(node: torch.fx.Node) -> str:
    """Return the name of the program's node that `node` was made from."""
    stack = node.meta.get("nn_module_stack") or {}
    return next((layer for _, layer in stack.values()), "")


def _marked(exported: ExportedProgram) -> ExportedProgram:
    """Mark each node with its name in the program, in place of the stack of modules.

    litert-torch names tensors after that stack. Source lines are removed, so they do not reach the
    file.
    """
    for node in exported.graph.nodes:
        node.meta.pop("stack_trace", None)
        node.meta.pop("from_node", None)
        node.meta["nn_module_stack"] = {"": ("", name_in_program(node) or node.name)}
    return exported


def _with_plain_weights(exported: ExportedProgram) -> ExportedProgram:
    """Insert two reshapes behind each computed weight of a convolution.

    litert-torch changes the layout of images between convolutions, and takes a computed weight for
    one more image. It does not look past a reshape.
    """
    graph = exported.graph
    for node in graph.nodes:
        if not kind(node).startswith("conv"):
            continue
        weight = node.args[1]
        if weight.op != "call_function" or kind(weight).startswith("dequantize"):
            continue
        sizes = list(weight.meta["val"].shape)
        with graph.inserting_before(node):
            flat = graph.call_function(torch.ops.aten.view.default, (weight, [-1]))
            plain = graph.call_function(torch.ops.aten.view.default, (flat, sizes))
        marks = {"nn_module_stack": weight.meta["nn_module_stack"]}
        flat.meta = {"val": weight.meta["val"].reshape(-1), **marks}
        plain.meta = {"val": weight.meta["val"], **marks}
        node.args = (node.args[0], plain, *node.args[2:])
    return exported


def _own_constants(program: Program) -> Program:
    """Give the program constants in memory of their own.

    litert-torch clamps infinities in place. It copies constants that are not contiguous, and takes
    two for one if the second lies where a copy of the first was.
    """
    own = {name: _own(tensor) for name, tensor in program.constants.items()}
    return replace(program, constants=own)


def _own(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_floating_point() and tensor.isinf().any():
        return tensor.clone(memory_format=torch.contiguous_format)
    return tensor.contiguous()
