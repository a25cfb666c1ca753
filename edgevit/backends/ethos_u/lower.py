"""Lowering of a program to an int8 TFLite file, and to one that calls Vela's command streams."""

from __future__ import annotations

from edgevit.backends.api import Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.ethos_u.command_stream import ENDING, CompiledFile, read_compiled
from edgevit.backends.ethos_u.delegation import delegation, layers_of, require_npu
from edgevit.backends.ethos_u.info import INFO
from edgevit.backends.ethos_u.integer_pairs import join_conversions
from edgevit.backends.ethos_u.integer_ports import remove_conversions
from edgevit.backends.ethos_u.memory import compiled_to_fit, require_flash, sram_limit
from edgevit.backends.ethos_u.npu import Npu, npu_of
from edgevit.backends.ethos_u.options import OPTIONS
from edgevit.backends.ethos_u.vela import VelaReport, compile_for, tool_versions
from edgevit.backends.tflite import op_count, stored, write_tflite
from edgevit.backends.unsupported import refuse_precision
from edgevit.errors import DelegationError


def lower(request: Lowering) -> Artifact:
    """Write the golden model `<name>.tflite`, and what the board runs: `<name>_vela.tflite`."""
    refuse_precision("Ethos-U", request.precision, INFO.precisions)
    options = OPTIONS.of(request.options)
    npu = npu_of(request.target, options)
    versions = tool_versions()
    written = write_tflite(request.program, request.precision, request.directory, request.progress)
    golden = written.path
    remove_conversions(golden)
    join_conversions(golden)
    result = golden.with_name(golden.stem + ENDING)
    limit = sram_limit(request.target, options)

    def compile_net(small: bool) -> VelaReport:
        request.progress(f"compile for {npu.name}")
        return compile_for(golden, npu, limit, result, small)

    report = compiled_to_fit(compile_net, npu, request.target, limit)
    size = result.stat().st_size
    require_flash(size, request.target)
    compiled = read_compiled(result)
    part = delegation(npu, compiled, op_count(golden), request.program)
    if options.require_npu:
        require_npu(part)
    if not compiled.streams:
        raise _nothing_taken(npu, compiled)
    predicted = _predicted(report, versions) | {"layers": layers_of(report, request.program)}
    return Artifact(
        INFO.name,
        request.precision,
        result,
        written.versions | versions,
        written.notes,
        delegation=part,
        stored=stored(golden),
        details={
            "npu": npu.as_dict() | {"golden": golden.name, "file_bytes": size},
            "host_only": [golden.name],
            "predicted": predicted,
        },
    )


def _predicted(report: VelaReport, versions: dict[str, str]) -> dict[str, object]:
    return {
        "by": f"Vela {versions['ethos-u-vela']}",
        "ram_bytes": report.memory["sram"],
        "dram_bytes": report.memory["dram"],
        "cycles": report.cycles,
        "clock_hz": report.clock_hz,
        "inferences_per_second": report.clock_hz / report.cycles if report.cycles else 0.0,
        "macs": report.macs,
        "traffic_bytes": dict(report.traffic),
    }


def _nothing_taken(npu: Npu, compiled: CompiledFile) -> DelegationError:
    return DelegationError(
        f"the {npu.name} takes no op of the net",
        where="\n".join(sorted({one.op for one in compiled.rest})),
        why="Vela leaves all of them to the CPU",
        hint="another format of the target, such as mcu for a Cortex-M",
    )
