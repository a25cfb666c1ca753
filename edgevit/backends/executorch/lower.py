"""Lowering of a program to a .pte file on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgevit.backends.artifact import Artifact
from edgevit.backends.executorch.constants import stored
from edgevit.backends.executorch.delegation import delegation
from edgevit.backends.executorch.flat_rows import with_flat_rows
from edgevit.backends.executorch.info import INFO
from edgevit.backends.executorch.known_results import results_known
from edgevit.backends.executorch.partitioner import partitioner, read_apart
from edgevit.backends.executorch.pattern_searches import vain_searches_skipped
from edgevit.backends.executorch.repeated_work import repeated_work_skipped
from edgevit.backends.executorch.retraces import needless_retraces_skipped
from edgevit.backends.executorch.supported import blame, require_inputs, require_kernels
from edgevit.backends.executorch.tool import module, quiet, versions
from edgevit.backends.exported import exported_program
from edgevit.backends.unsupported import refuse_precision
from edgevit.graph.cheaper_passes import cheaper_passes, no_stack_traces
from edgevit.graph.half import in_float16
from edgevit.graph.known_signatures import signatures_known
from edgevit.graph.local_decompositions import local_decompositions
from edgevit.graph.program import Program
from edgevit.rewrites.engine import apply
from edgevit.rewrites.pools_and_padding.mean_in_steps import MeanInSteps
from edgevit.support.backend_info import is_integer


def lower(
    program: Program,
    precision: str,
    directory: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> Artifact:
    """Write the .pte file.

    In fp16 all values are computed in half precision; inputs and outputs stay float32.
    """
    refuse_precision("ExecuTorch", precision, INFO.precisions)
    require_inputs(program)
    tools = versions()
    if not is_integer(precision):
        program = apply(MeanInSteps(), program)[0]
    if precision == "fp16":
        program = in_float16(program)
    progress("convert and delegate")
    with blame(program):
        manager = lowered({"forward": program})
    progress("save")
    path = directory / f"{program.name}.pte"
    path.write_bytes(manager.buffer)
    taken = delegation(path, manager.exported_program(), program)
    constants = stored(path) if is_integer(precision) else ()
    return Artifact("executorch", precision, path, tools, delegation=taken, stored=constants)


def lowered(programs: Mapping[str, Program]) -> Any:
    """Convert and delegate the programs, each a method. Its `buffer` is the file."""
    with (
        quiet(),
        cheaper_passes(),
        local_decompositions(),
        no_stack_traces(),
        needless_retraces_skipped(),
        repeated_work_skipped(),
        results_known(),
        signatures_known(),
        vain_searches_skipped(),
    ):
        edge = _edge(programs)
        for name, program in programs.items():
            require_kernels(edge.exported_program(name), program)
        return edge.to_executorch()


def _edge(programs: Mapping[str, Program]) -> Any:
    """Convert and delegate the programs, without the verifier.

    The verifier refuses ops that have kernels all the same. Ops without a kernel are refused by
    name elsewhere.
    """
    exir = module("exir")
    return exir.to_edge_transform_and_lower(
        {name: exported_program(with_flat_rows(one)) for name, one in programs.items()},
        transform_passes=[read_apart],
        partitioner={name: [partitioner()] for name in programs},
        compile_config=exir.EdgeCompileConfig(_check_ir_validity=False),
    )
