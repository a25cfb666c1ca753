"""Compilation of an ONNX file for one chip, in a process of its own.

The compiler numbers graphs and ops over the life of a process, and writes the numbers into the
context: only a fresh process writes the same bytes again. A crash of it ends that process alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.backends.qnn.runtime import PROVIDER, open_on_npu
from edgevit.backends.qnn.soc import Soc
from edgevit.backends.session import load_library
from edgevit.errors import BackendRuntimeError, MemoryLimitError, report_it
from edgevit.support.limited import Limits, WorkerEndedError, call_limited

# A large net takes minutes and gigabytes.
_LIMITS = Limits(memory=32 << 30, cpu=4 * 3600, seconds=3600.0)
_TRACE = "qnn_op_trace.json"


@dataclass(frozen=True)
class Node:
    name: str
    op: str


@dataclass(frozen=True)
class Compiled:
    """What the compiler says of its work."""

    sdk: str
    pieces: tuple[tuple[Node, ...], ...]  # of the NPU
    rest: tuple[Node, ...]  # of the CPU
    reasons: Mapping[str, str]  # of nodes that the NPU refuses


def compile_for(source: Path, soc: Soc, precision: str, result: Path) -> Compiled:
    """Write the .onnx that calls the compiled context, and the context beside it."""
    options = {"soc_model": str(soc.soc_model), "htp_arch": str(soc.htp_arch)}
    if precision == "fp16":
        options["enable_htp_fp16_precision"] = "1"
    try:
        said = call_limited(
            "edgevit.backends.qnn.compiler:compile_here",
            [str(source), str(result), options],
            _LIMITS,
        )
    except WorkerEndedError as error:
        raise BackendRuntimeError(
            f"Qualcomm's compiler died on {source.stem} for {soc.part}",
            why=str(error),
            hint=f"another --precision, or a smaller --input-size; if it dies again, {report_it()}",
        ) from error
    return Compiled(
        said["sdk"],
        tuple(tuple(Node(*node) for node in piece) for piece in said["pieces"]),
        tuple(Node(*node) for node in said["rest"]),
        said["reasons"],
    )


def compile_here(source: str, result: str, options: dict[str, str]) -> dict[str, Any]:
    """Compile in this process; the result is JSON."""
    folder = Path(result).parent
    own = {
        "offload_graph_io_quantization": "0",  # else the CPU quantises the input
        "enable_framework_op_trace": "1",
        "framework_op_trace_dir": str(folder),
    }
    config = {
        "session.record_ep_graph_assignment_info": "1",
        "ep.context_enable": "1",
        "ep.context_file_path": result,
        "ep.context_embed_mode": "0",
    }
    model = Path(source).read_bytes()  # of a path, the compiler would write a hash into the context
    try:
        session = open_on_npu(model, options | own, config)
    except Exception as error:  # its errors have no common base
        raise _refused(str(error), source) from error
    assigned = [
        (piece.ep_name == PROVIDER, [(node.name, node.op_type) for node in piece.get_nodes()])
        for piece in session.get_provider_graph_assignment_info()
    ]
    trace = folder / _TRACE
    return {
        "sdk": _give_suffix(Path(result)) if any(here for here, _ in assigned) else "",
        "pieces": [nodes for here, nodes in assigned if here],
        "rest": [node for here, nodes in assigned if not here for node in nodes],
        "reasons": _reasons(trace),
    }


def _reasons(trace: Path) -> dict[str, str]:
    if not trace.exists():
        return {}
    said = json.loads(trace.read_text())
    trace.unlink()
    return {
        str(node.get("node_name", "")): str(node.get("reason", ""))
        for node in said.get("unsupported_nodes", ())
    }


def _give_suffix(path: Path) -> str:
    """Name the context `<name>.onnx.bin`; return the version of the SDK that compiled it."""
    onnx: Any = load_library("onnx", "onnx")
    model = onnx.load(path)
    named = path.with_name(path.stem + "_qnn.bin")
    context = path.with_name(path.name + ".bin")
    sdk = ""
    for node in model.graph.node:
        for attribute in node.attribute if node.op_type == "EPContext" else ():
            if attribute.name == "ep_cache_context" and attribute.s:
                attribute.s = context.name.encode()
            if attribute.name == "ep_sdk_version":
                sdk = attribute.s.decode()
    named.rename(context)
    onnx.save(model, path)
    return sdk


def _refused(said: str, source: str) -> Exception:
    why = said.strip().partition("\n")[0][:600]
    if "MEM_ALLOC" in said or "memory" in said.lower():
        return MemoryLimitError(
            "the net does not fit the NPU",
            why=why,
            hint="a smaller --input-size, or --precision int8",
        )
    return BackendRuntimeError(
        f"Qualcomm's compiler refuses {Path(source).stem}",
        why=why,
        hint=f"another --precision, or another --format of the target; {report_it()}",
    )
