"""Lowering of a program to an ONNX file that calls a context compiled for one chip."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from edgevit.backends.api import Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.onnx import ONE_FILE, stored, write_onnx
from edgevit.backends.qnn.activations import part_activations
from edgevit.backends.qnn.clips import write_limits
from edgevit.backends.qnn.compiler import Compiled, compile_for
from edgevit.backends.qnn.delegation import delegation, require_npu
from edgevit.backends.qnn.info import INFO
from edgevit.backends.qnn.options import OPTIONS
from edgevit.backends.qnn.products import convert_products
from edgevit.backends.qnn.runtime import tool_versions
from edgevit.backends.qnn.soc import Soc, require_soc
from edgevit.backends.qnn.views import quantize_before_views
from edgevit.backends.room import constant_bytes
from edgevit.backends.unsupported import refuse_precision
from edgevit.errors import DelegationError, MemoryLimitError
from edgevit.support.backend_info import is_integer


def lower(request: Lowering) -> Artifact:
    """Write the ONNX file to a folder of its own, and compile it into the request's."""
    refuse_precision("QNN", request.precision, INFO.precisions)
    soc = require_soc(request.target, request.precision)
    versions = tool_versions()
    _require_one_file(request)
    with TemporaryDirectory() as folder:
        written = write_onnx(request.program, request.precision, Path(folder), request.progress)
        constants = stored(written.path) if is_integer(request.precision) else ()
        if is_integer(request.precision):
            convert_products(written.path)
            write_limits(written.path)
            quantize_before_views(written.path)
        else:
            part_activations(written.path)
        request.progress(f"compile for {soc.part}")
        result = request.directory / written.path.name
        compiled = compile_for(written.path, soc, request.precision, result)
    part = delegation(compiled, written.places)
    if OPTIONS.of(request.options).require_npu:
        require_npu(part, compiled)
    if not compiled.pieces:
        raise _nothing_taken(soc, compiled)
    return Artifact(
        INFO.name,
        request.precision,
        result,
        written.versions | versions,
        written.notes,
        delegation=part,
        stored=constants,
        details={"npu": _facts(soc, compiled, result)},
    )


def _facts(soc: Soc, compiled: Compiled, result: Path) -> dict[str, object]:
    context = result.with_name(result.name + ".bin")
    size = context.stat().st_size
    return soc.as_dict() | {"sdk": compiled.sdk, "context": context.name, "context_bytes": size}


def _require_one_file(request: Lowering) -> None:
    size = constant_bytes(request.program)
    if size > ONE_FILE:
        raise MemoryLimitError(
            f"{request.program.name} has {size / 1e9:.1f} GB of weights, too much for one context",
            why=f"a context is compiled from one file of at most {ONE_FILE / 1e9:.0f} GB",
            hint="a smaller model of the family",
        )


def _nothing_taken(soc: Soc, compiled: Compiled) -> DelegationError:
    return DelegationError(
        f"the NPU of {soc.part} takes no op of the net",
        where="\n".join(sorted({node.op for node in compiled.rest})),
        why="; ".join(list(compiled.reasons.values())[:4]) or "its compiler refuses all of them",
        hint="another --precision, or another --format of the target",
    )
