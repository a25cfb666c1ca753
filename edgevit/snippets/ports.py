"""What an artifact takes and gives, as it says itself: names, shapes, types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgevit.backends.api import Expected
from edgevit.backends.artifact import Artifact
from edgevit.backends.mcu.bundle import GRAPH
from edgevit.backends.on_host import worker_for
from edgevit.integer.file import load_graph
from edgevit.integer.ports import Port


@dataclass(frozen=True)
class PortFacts:
    name: str
    shape: tuple[int, ...]
    dtype: str  # as numpy calls it
    scale: float | None = None  # of quantised ones: real = (integer - zero) * scale
    zero: int | None = None

    def as_dict(self) -> dict[str, object]:
        facts = {key: fact for key, fact in asdict(self).items() if fact is not None}
        return {**facts, "shape": list(self.shape)}

    @classmethod
    def of_dict(cls, entry: dict[str, Any]) -> PortFacts:
        return cls(**{**entry, "shape": tuple(entry["shape"])})


def ports_of(artifact: Artifact, expected: Expected) -> dict[str, list[dict[str, object]]]:
    """`expected` tells the shapes of a Core ML package, which was checked against it by its names."""
    if artifact.format == "mcu":
        inputs, outputs = _of_firmware(artifact)
    elif artifact.format == "coreml":
        inputs, outputs = _of_package(artifact, expected)
    else:
        worker = worker_for(artifact.format)
        worker.open(artifact.reference or artifact.path)
        inputs, outputs = (
            [PortFacts(spec.name, spec.shape, spec.dtype) for spec in specs]
            for specs in (worker.inputs, worker.outputs)
        )
    return {
        "inputs": [port.as_dict() for port in inputs],
        "outputs": [port.as_dict() for port in outputs],
    }


def _of_firmware(artifact: Artifact) -> tuple[list[PortFacts], list[PortFacts]]:
    """As they lie in memory: without the batch, channels last."""
    _, more = load_graph(artifact.path.parent / GRAPH)
    inputs, outputs = (
        [_quantised(f"{kind}_{k}", Port.of(entry)) for k, entry in enumerate(more[f"{kind}s"])]
        for kind in ("input", "output")
    )
    return inputs, outputs


def _quantised(name: str, port: Port) -> PortFacts:
    value = port.value
    return PortFacts(name, value.shape, value.dtype, value.scale, value.zero)


def _of_package(artifact: Artifact, expected: Expected) -> tuple[list[PortFacts], list[PortFacts]]:
    """Core ML takes and gives 32-bit types only, whatever it computes in, and an array for a scalar."""

    def facts(names: Any, tensors: Sequence[Any]) -> list[PortFacts]:
        return [
            PortFacts(name, tuple(x.shape) or (1,), "float32" if x.is_floating_point() else "int32")
            for name, x in zip(names, tensors, strict=True)
        ]

    details = artifact.details
    return facts(details["inputs"], expected.inputs), facts(details["outputs"], expected.outputs)
