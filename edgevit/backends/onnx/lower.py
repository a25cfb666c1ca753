"""Lowering of a program to an ONNX file on disk.

Every node of the file is called after the module it came from (`blocks.3.attn/MatMul_2`), so that
viewers and profilers use the names of the user's model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from edgevit.backends.artifact import Artifact
from edgevit.backends.exported import exported_program, name_in_program
from edgevit.backends.onnx.candidate_rules import candidate_rules_only
from edgevit.backends.onnx.constants import stored
from edgevit.backends.onnx.delegation import delegation
from edgevit.backends.onnx.exact_constants import exact_constants
from edgevit.backends.onnx.functions import needed_functions
from edgevit.backends.onnx.info import INFO
from edgevit.backends.onnx.integer_biases import with_integer_biases
from edgevit.backends.onnx.integer_kernels import integer_kernels, kernels_notes
from edgevit.backends.onnx.names import renamed_notes, with_own_outputs
from edgevit.backends.onnx.packed import INT4_OPSET, pack, part_zero_points
from edgevit.backends.onnx.pads import keep_pads
from edgevit.backends.onnx.scheme import OPSET_21
from edgevit.backends.onnx.supported import blame, require_inputs
from edgevit.backends.session import load_library
from edgevit.backends.unsupported import refuse_precision
from edgevit.errors import PackageError
from edgevit.graph.cheaper_passes import cheaper_passes
from edgevit.graph.local_decompositions import local_decompositions
from edgevit.graph.program import Program, origin
from edgevit.quantize import RoundedWeight
from edgevit.support.backend_info import is_integer
from edgevit.support.silence import quiet

ONE_FILE = 2_000_000_000  # bytes of weights; protobuf stops at 2 GiB


@dataclass(frozen=True)
class OnnxFile:
    """ONNX file, before any runtime has read it."""

    path: Path
    versions: dict[str, str]
    notes: tuple[str, ...]
    places: Mapping[str, str]  # of the user's code, by the name of the node


def lower(
    program: Program,
    precision: str,
    directory: Path,
    progress: Callable[[str], None] = lambda _: None,
    one_file: int = ONE_FILE,
    weights: Collection[RoundedWeight] = (),
) -> Artifact:
    """Write the ONNX file, and read from ONNX Runtime what it makes of it."""
    refuse_precision("ONNX", precision, INFO.precisions)
    program = with_integer_biases(program)
    written = write_onnx(program, precision, directory, progress, one_file, weights)
    path = written.path
    kernels = integer_kernels(path) if is_integer(precision) else None
    return Artifact(
        "onnx",
        precision,
        path,
        written.versions,
        (*written.notes, *(kernels_notes(kernels, precision) if kernels else ())),
        delegation=delegation(path),
        stored=stored(path) if kernels else (),
        details=_details(path) | ({"kernels": kernels.as_dict()} if kernels else {}),
    )


def write_onnx(
    program: Program,
    precision: str,
    directory: Path,
    progress: Callable[[str], None] = lambda _: None,
    one_file: int = ONE_FILE,
    weights: Collection[RoundedWeight] = (),
) -> OnnxFile:
    """Write the ONNX file. `weights` are floats in the program and integers in the file.

    Weights larger than `one_file` together go to `<name>.onnx.data` beside the graph.
    """
    require_inputs(program)
    named = with_own_outputs(program)
    renamed, program = renamed_notes(program, named), named
    onnx, onnxsim = load_library("onnx", "onnx"), load_library("onnxsim", "onnx")
    load_library("onnxscript", "onnx")
    tools = {
        name: load_library(name, "onnx").__version__ for name in ("onnx", "onnxsim", "onnxruntime")
    }
    progress("convert")
    model, places = _converted(program, INT4_OPSET if precision in OPSET_21 else None)
    path = directory / f"{program.name}.onnx"
    if sum(t.numel() * t.element_size() for t in program.constants.values()) > one_file:
        progress("save with external data")
        model.save(path, external_data=True)
        notes = (f"its weights are in {path.name}.data: keep the two together",)
    else:
        progress("simplify")
        with quiet("onnxsim"):
            simplified, same = onnxsim.simplify(model.model_proto)
        if not same:
            raise PackageError("onnxsim changed what the model computes", where=str(path))
        floats = pack(simplified, weights)
        part_zero_points(simplified)
        keep_pads(simplified)
        progress("save")
        onnx.save(simplified, path)
        notes = (f"{floats} of {len(weights)} weights are floats in the file",) if floats else ()
    return OnnxFile(path, tools, (*renamed, *notes), places)


def _converted(program: Program, opset: int | None) -> tuple[Any, dict[str, str]]:
    with blame(program), quiet("torch.onnx"):
        exported = exported_program(program)
        with (
            exact_constants(),
            candidate_rules_only(),
            cheaper_passes(),
            local_decompositions(),
            needed_functions(exported),
        ):
            model = _exported(exported, program, opset)
    assert model is not None
    return model, _name_nodes(model.model, program)


def _exported(exported: ExportedProgram, program: Program, opset: int | None) -> Any:
    return torch.onnx.export(
        exported,
        (),
        dynamo=True,
        optimize=True,
        opset_version=opset,
        verbose=False,
        input_names=list(program.input_names),
        output_names=list(program.output_names),
    )


def _name_nodes(model: Any, program: Program) -> dict[str, str]:
    """Name the nodes in place after their modules. Return the places in the user's code.

    The torch exporter stores with each ONNX node the fx node that it was made from.
    """
    origins = {node.name: origin(node) for node in program.calls()}
    seen: Counter[str] = Counter()
    places: dict[str, str] = {}
    for node in model.graph:
        made_from = node.meta.get("node")
        # The exporter makes some nodes anew, without what they were made from, under the same name.
        name = "" if made_from is None else name_in_program(made_from) or made_from.name
        module = origins[name].module if name in origins else ""
        label = f"{module}/{node.op_type}" if module else node.op_type
        node.name = f"{label}_{seen[label]}"
        places[node.name] = origins[name].place if name in origins else ""
        seen[label] += 1
        for position, result in enumerate(node.outputs):
            if not result.is_graph_output():  # the runtime names what it fuses after values
                result.name = f"{node.name}:{position}" if position else node.name
        node.metadata_props.clear()  # graph dumps and paths of the machine it was made on
    return places


def _details(path: Path) -> dict[str, object]:
    model: Any = load_library("onnx", "onnx").load(path, load_external_data=False)
    opset = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    return {"opset": opset["ai.onnx"], "nodes": len(model.graph.node)}
