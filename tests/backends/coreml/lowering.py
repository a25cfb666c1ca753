"""Small nets lowered to packages, and what the packages compute: shared by the tests of the lowering."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import nn

from edgevit.backends.artifact import Artifact
from edgevit.backends.coreml.check import interpret, load_package
from edgevit.backends.coreml.lower import lower
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource, Preprocess
from edgevit.graph.parity import Distance, distance
from edgevit.graph.program import Program

pytest.importorskip("coremltools", reason="pip install 'edgevit[coreml]'")

IMAGENET = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), size=(16, 16))


class Hybrid(nn.Module):
    """A strided convolution with its norm, one attention block, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 4, 1), nn.BatchNorm2d(16), nn.GELU())
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(x)).reshape(1, 16, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.head(x.mean(1))


def source_of(module: nn.Module, *inputs: torch.Tensor, **known: Any) -> ModelSource:
    names = tuple(f"x{k}" if k else "x" for k in range(len(inputs)))
    fields: dict[str, Any] = {"input_names": names, **known}
    return ModelSource(
        spec="tests:net",
        name="net",
        module=module.eval(),
        inputs=inputs,
        origin="a test",
        weights="random (seed 0)",
        **fields,
    )


def lowered(
    source: ModelSource,
    directory: Path,
    precision: Literal["fp16", "fp32"] = "fp32",
    minimum_os: str = "iOS17",
    image_input: bool = False,
) -> tuple[Program, Artifact]:
    program = capture(source)
    artifact = lower(
        program,
        source,
        minimum_os=minimum_os,
        precision=precision,
        directory=directory,
        image_input=image_input,
    )
    return program, artifact


def far(
    program: Program,
    path: Path,
    precision: Literal["fp16", "fp32"],
    inputs: tuple[torch.Tensor, ...] = (),
) -> Distance:
    """From the program to what the package at `path` computes."""
    package = load_package(path)
    names = [declared.name for declared in package.main.inputs]
    inputs = inputs or program.inputs
    run = interpret(package, dict(zip(names, inputs, strict=True)), precision)
    assert not run.unchecked
    return distance(program.run(inputs), [run.outputs[name] for name in package.main.outputs])
