"""Inputs and outputs of a compiled file, as they lie in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgevit.backends.api import Expected
from edgevit.backends.artifact import Artifact
from edgevit.backends.ethos_u.session import open_golden
from edgevit.backends.port_facts import PortFacts, Ports


def ports(artifact: Artifact, expected: Expected) -> Ports:
    interpreter = open_golden(artifact.path)
    program = expected.program
    inputs = _named(interpreter.get_input_details(), program and program.input_names)
    outputs = _named(interpreter.get_output_details(), program and program.output_names)
    return inputs, outputs


def _named(details: list[dict[str, Any]], names: Sequence[str] | None) -> list[PortFacts]:
    return [
        _port(detail, names[k] if names else str(detail["name"]))
        for k, detail in enumerate(details)
    ]


def _port(detail: dict[str, Any], name: str) -> PortFacts:
    scale, zero = detail["quantization"]
    shape = tuple(map(int, detail["shape"]))
    dtype = np.dtype(detail["dtype"]).name
    return (
        PortFacts(name, shape, dtype, float(scale), int(zero))
        if scale
        else PortFacts(name, shape, dtype)
    )
