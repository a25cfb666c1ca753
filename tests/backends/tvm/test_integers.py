"""Libraries of programs with quantize and dequantize calls, against their simulation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit import export
from edgevit.backends.tvm.lower import lower
from edgevit.backends.tvm.rules import RULES
from edgevit.backends.tvm.scheme import SCHEMES
from edgevit.backends.tvm.session import open_session
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.quantize.calibration import generated
from edgevit.quantize.run import quantize_program
from edgevit.rewrites import engine
from edgevit.targets import load_target

pytest.importorskip("tvm", reason="pip install 'edgevit[tvm]'")


class Two(nn.Module):
    """Convolutions with a ReLU between, and a head: a mean in floats before it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.deep = nn.Conv2d(16, 16, 3, 1, 1, groups=16)
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.deep(self.stem(x).relu()).relu().mean((2, 3)))


def test_weights_alone_are_those_of_the_simulation(tmp_path: Path) -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 16, 16)
    net = Two().eval().requires_grad_(False)
    source = ModelSource("tests:net", "net", net, (image,), ("x",), "a test", "random")
    program, _ = engine.run(capture(source), RULES)
    made = quantize_program(program, generated(program, count=16), SCHEMES["w8"])
    artifact = lower(made.program, load_target("linux-x86"), "w8", tmp_path)
    session = open_session(artifact.path, 1)
    for one in made.held_out:
        (written,) = session.run([x.numpy() for x in one.inputs])
        assert (torch.from_numpy(written) - one.simulated[0]).abs().max() < 1e-5


def test_the_library_is_held_to_its_simulation(tmp_path: Path) -> None:
    result = export(
        "zoo:vit-i32-p8-d32-h2-l1",
        target="linux-x86",
        format="tvm",
        precision="w8",
        output=tmp_path / "out",
    )
    assert result.passed and result.manifest["precision"] == "w8"
