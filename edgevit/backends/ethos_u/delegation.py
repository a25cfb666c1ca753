"""Part of the net that the NPU takes, read from Vela's file, with the user's lines."""

from __future__ import annotations

from collections import Counter

from edgevit.backends.delegation import Delegation, Outside, grouped, left_outside
from edgevit.backends.ethos_u.command_stream import CompiledFile
from edgevit.backends.ethos_u.npu import Npu
from edgevit.backends.ethos_u.vela import VelaReport
from edgevit.graph.program import Program, origin


class TensorPlaces:
    """Places in the user's model, by the tensors of the file.

    A tensor is named after the program's nodes that it is made of: `relu;;conv2d;`. An output is
    named after the signature.
    """

    def __init__(self, program: Program) -> None:
        self._origins = {node.name: origin(node).place for node in program.calls()}
        self._outputs = [origin(node).place for node in program.outputs()]

    def of(self, name: str) -> str:
        if name.startswith("serving_default_output"):
            return self._outputs[0]
        return next((self._origins[part] for part in name.split(";") if part in self._origins), "")


def delegation(npu: Npu, compiled: CompiledFile, ops: int, program: Program) -> Delegation:
    """`ops`: of the file before Vela."""
    places = TensorPlaces(program)
    outside = [
        Outside(one.op, next(filter(None, map(places.of, sorted(one.outputs))), ""), 1, one.bytes)
        for one in compiled.rest
    ]
    inside = max(ops - len(outside), 0)
    return Delegation(f"the {npu.name}", len(compiled.streams), inside, grouped(outside))


def require_npu(delegation: Delegation) -> None:
    """Refuse a net that the NPU does not take whole."""
    if not delegation.outside:
        return
    message = (
        f"{delegation.ops_outside} ops stay on the CPU; {delegation.to.removeprefix('the ')} takes "
        f"the rest in {delegation.delegates} pieces"
    )
    why = "--require-npu was given; Vela's supported ops: `vela --supported-ops-report`"
    raise left_outside(delegation, message, why)


def layers_of(report: VelaReport, program: Program) -> list[dict[str, object]]:
    """Sum Vela's cycles over the ops of each line of the user's model, the slowest first."""
    places = TensorPlaces(program)
    cycles: Counter[str] = Counter()
    macs: Counter[str] = Counter()
    for layer in report.layers:
        place = places.of(layer.name) or layer.op
        cycles[place] += layer.cycles
        macs[place] += layer.macs
    return [
        {"where": place, "cycles": count, "macs": macs[place]}
        for place, count in cycles.most_common()
    ]
