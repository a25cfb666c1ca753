"""TFLite and ExecuTorch files in integers: each layer is within a step of its simulation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends.api import Lowering, backend_for
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.quantize.calibration import generated
from edgevit.quantize.run import quantize_program
from edgevit.rewrites import engine
from edgevit.support.backend_info import BACKENDS
from edgevit.targets import load_target
from tests.backends.runtimes.layers import layers, steps_apart, with_every_value

TARGET = load_target("linux-x86")
CASES = [
    ("tflite", "int8"),
    ("tflite", "auto"),
    ("tflite", "w4a8"),
    ("tflite", "w8a16"),
    ("executorch", "int8"),
    ("executorch", "auto"),
    ("executorch", "w4a8"),
]


class Layers(nn.Module):
    """A convolution of each sort, a sum, and linears with a function between them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.deep = nn.Conv2d(16, 16, 3, 1, 1, groups=16)
        self.last = nn.Conv2d(16, 15, 1)
        self.up = nn.Linear(15, 32)
        self.down = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).relu()
        x = self.last(x + self.deep(x).relu())
        return self.down(torch.nn.functional.gelu(self.up(x.flatten(2).mT)))


@pytest.mark.parametrize(("format", "precision"), CASES)
def test_every_layer_is_within_a_step(format: str, precision: str, tmp_path: Path) -> None:
    pytest.importorskip(BACKENDS[format].libraries[0].replace("-", "_"))
    torch.manual_seed(0)
    image = torch.rand(1, 3, 16, 16)
    net = Layers().eval().requires_grad_(False)
    source = ModelSource("tests:net", "net", net, (image,), ("x",), "a test", "random")
    backend = backend_for(format, TARGET)
    program, _ = engine.run(capture(source), backend.rules)
    scheme = BACKENDS[format].scheme(precision)
    made = quantize_program(program, generated(program, count=8), scheme)  # type: ignore[arg-type]
    whole = with_every_value(made.program)
    request = Lowering(whole, source, TARGET, precision, tmp_path, lambda _: None)
    session = BACKENDS[format].part(str(BACKENDS[format].session))(backend.lower(request).path, 1)
    for one in made.held_out:
        written = session.run([x.numpy() for x in one.inputs])
        apart = steps_apart(whole, one.inputs, written)
        assert set(apart) == set(layers(whole))
        for name, steps in apart.items():
            assert (steps <= 1.01).float().mean() >= 0.99, (name, steps.max())
