"""Inputs and outputs of a package.

Core ML takes and returns 32-bit types only, whatever precision it computes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgevit.backends.api import Expected
from edgevit.backends.artifact import Artifact
from edgevit.backends.port_facts import PortFacts, Ports


def ports(artifact: Artifact, expected: Expected) -> Ports:
    """Return the ports of a package.

    Core ML takes and returns 32-bit types only, whatever precision it computes in, and an array for
    a scalar.
    """

    def facts(names: Any, tensors: Sequence[Any]) -> list[PortFacts]:
        return [
            PortFacts(name, tuple(x.shape) or (1,), "float32" if x.is_floating_point() else "int32")
            for name, x in zip(names, tensors, strict=True)
        ]

    details = artifact.details
    return facts(details["inputs"], expected.inputs), facts(details["outputs"], expected.outputs)
