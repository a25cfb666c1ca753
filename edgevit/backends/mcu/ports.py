"""Inputs and outputs of firmware, as they lie in memory."""

from __future__ import annotations

from edgevit.backends.api import Expected
from edgevit.backends.artifact import Artifact
from edgevit.backends.mcu.bundle import GRAPH
from edgevit.backends.port_facts import PortFacts, Ports
from edgevit.integer import Port, load_graph


def ports(artifact: Artifact, expected: Expected) -> Ports:
    """Read them from the integer graph: without the batch, channels last, and without the states that it keeps."""
    graph, more = load_graph(artifact.path.parent / GRAPH)
    inputs, outputs = (
        [_quantised(f"{kind}_{k}", Port.of(entry)) for k, entry in enumerate(entries)]
        for kind, entries in (
            ("input", graph.passed(more["inputs"])),
            ("output", graph.returned(more["outputs"])),
        )
    )
    return inputs, outputs


def _quantised(name: str, port: Port) -> PortFacts:
    value = port.value
    return PortFacts(name, value.shape, value.dtype, value.scale, value.zero)
