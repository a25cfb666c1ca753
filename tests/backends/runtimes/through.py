"""A small net through a format, from capture to the saved file in its runtime: shared by these tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from edgevit.backends.api import Expected, Lowering, backend_of
from edgevit.backends.artifact import Artifact
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.parity import Parity
from edgevit.graph.program import Program
from edgevit.rewrites import engine
from edgevit.targets import load_target

FORMATS = ("onnx", "executorch", "tflite", "tvm", "coreai")
SUFFIX = {
    "onnx": ".onnx", "executorch": ".pte", "tflite": ".tflite", "tvm": ".so", "coreai": ".aimodel",
}  # fmt: skip


def source_of(module: nn.Module, *inputs: torch.Tensor, **known: Any) -> ModelSource:
    names = tuple(f"x{k}" for k in range(len(inputs)))
    fields: dict[str, Any] = {"input_names": names, **known}
    return ModelSource(
        spec="tests:net", name="net", module=module.eval(), inputs=inputs, origin="a test",
        weights="random (seed 0)", **fields,
    )  # fmt: skip


def lowered(
    format: str, source: ModelSource, folder: Path, precision: str = "fp32"
) -> tuple[Artifact, Program]:
    backend = backend_of(format)
    program, _ = engine.run(capture(source), backend.rules)
    target = load_target("linux-x86")
    request = Lowering(program, source, target, precision, folder, lambda _: None)
    return backend.lower(request), program


def eager(source: ModelSource) -> tuple[torch.Tensor, ...]:
    with torch.no_grad():
        found = source.module(*source.inputs)
    return tuple(leaf for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor))


def checked(format: str, source: ModelSource, folder: Path) -> Parity:
    artifact, program = lowered(format, source, folder)
    expected = Expected(source.inputs, eager(source), program)
    (parity,) = backend_of(format).check(artifact, expected)
    return parity
