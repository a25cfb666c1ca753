"""A net through a format, then on inputs of other statistics than its example's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgevit.backends.api import Lowering, backend_for
from edgevit.backends.artifact import Artifact
from edgevit.backends.on_host import fitted, worker_for
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.parity import Distance, distance
from edgevit.graph.program import Program
from edgevit.rewrites import engine
from edgevit.targets import load_target

FORMATS = ("coreml", "onnx", "tflite", "executorch")
LIBRARIES = {
    "coreml": "coremltools",
    "onnx": "onnxruntime",
    "tflite": "litert_torch",
    "executorch": "executorch",
}
Tensors = tuple[torch.Tensor, ...]


def fresh(inputs: Tensors) -> dict[str, Tensors]:
    torch.manual_seed(7)
    makers: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "the example": lambda x: x,
        "randn * 3": lambda x: torch.randn_like(x) * 3,
        "zeros": torch.zeros_like,
        "constant 0.7": lambda x: torch.full_like(x, 0.7),
        "randn * 1e3": lambda x: torch.randn_like(x) * 1e3,
        "randn + 100": lambda x: torch.randn_like(x) + 100,
        "example * 0.1": lambda x: x * 0.1,
    }
    return {name: tuple(map(make, inputs)) for name, make in makers.items()}


class Call(nn.Module):
    """A module that is one function of itself and its inputs."""

    def __init__(self, function: Callable[..., torch.Tensor], **constants: torch.Tensor) -> None:
        super().__init__()
        self.function = function
        for name, tensor in constants.items():
            self.register_buffer(name, tensor)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self, *inputs)


def source_of(module: nn.Module, *inputs: torch.Tensor) -> ModelSource:
    names = tuple(f"x{k}" for k in range(len(inputs)))
    return ModelSource("tests:net", "net", module.eval(), inputs, names, "a test", "as built")


def captured_of(module: nn.Module, *inputs: torch.Tensor) -> Program:
    return capture(source_of(module, *inputs))


def lowered(
    format: str, module: nn.Module, inputs: Tensors, folder: Path, precision: str = "fp32"
) -> tuple[Artifact, Program]:
    """The artifact, and the program as captured."""
    source = source_of(module, *inputs)
    target = load_target("iphone" if format == "coreml" else "linux-x86")
    backend = backend_for(format, target)
    captured = capture(source)
    program, _ = engine.run(captured, backend.rules)
    request = Lowering(program, source, target, precision, folder, lambda _: None)
    return backend.lower(request), captured


def ran(artifact: Artifact, inputs: Tensors) -> Tensors:
    if artifact.format == "coreml":
        return _interpreted(artifact, inputs)
    worker = worker_for(artifact.format)
    worker.open(artifact.path)
    arrays = fitted(worker.inputs, [x.numpy() for x in inputs], str(artifact.path))
    return tuple(torch.from_numpy(np.array(a)) for a in worker.run(arrays))


def _interpreted(artifact: Artifact, inputs: Tensors) -> Tensors:
    from edgevit.backends.coreml.check import interpret, load_package

    package = load_package(artifact.path)
    names = [declared.name for declared in package.main.inputs]
    run = interpret(package, dict(zip(names, inputs, strict=True)), artifact.precision)  # type: ignore[arg-type]
    assert not run.unchecked, run.unchecked
    return tuple(run.outputs[name] for name in package.main.outputs)


def departures(
    artifact: Artifact, captured: Program, inputs: Tensors, skip: Sequence[str] = ()
) -> dict[str, Distance]:
    """By the name of the inputs, where the artifact is further from PyTorch than float32 is from float64."""
    apart = {}
    for name, others in fresh(inputs).items():
        if name in skip:
            continue
        expected = captured.run(others)
        found = distance(expected, [a.to(e.dtype) for a, e in zip(ran(artifact, others), expected, strict=True)])  # fmt: skip
        exact = replace(captured.in_float64(), inputs=tuple(_wide(x) for x in others)).run()
        noise = distance(exact, expected).rel_l2
        limit = 0.02 if artifact.precision == "fp16" else 1e-4
        if found.rel_l2 > max(limit, 4 * noise):
            apart[name] = found
    return apart


def _wide(x: torch.Tensor) -> torch.Tensor:
    return x.double() if x.is_floating_point() else x
