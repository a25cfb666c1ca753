"""Inputs and outputs that an artifact declares: names, shapes, types."""

from __future__ import annotations

from edgevit.backends import Artifact, Expected, PortFacts, Ports, worker_for
from edgevit.support.backend_info import info_of


def ports_of(artifact: Artifact, expected: Expected) -> dict[str, list[dict[str, object]]]:
    place = info_of(artifact.format).ports
    own = info_of(artifact.format).part(place) if place else _declared
    inputs, outputs = own(artifact, expected)
    return {
        "inputs": [port.as_dict() for port in inputs],
        "outputs": [port.as_dict() for port in outputs],
    }


def _declared(artifact: Artifact, expected: Expected) -> Ports:
    """Return the ports that the runtime reports for the artifact."""
    worker = worker_for(artifact.format)
    worker.open(artifact.reference or artifact.path)
    inputs, outputs = (
        [PortFacts(spec.name, spec.shape, spec.dtype) for spec in specs]
        for specs in (worker.inputs, worker.outputs)
    )
    return inputs, outputs
