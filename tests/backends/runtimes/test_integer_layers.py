"""Files in integers: each layer is within a step of its simulation, on every runtime of this machine, and a weight
takes its bits.

Core ML's packages are compared by the interpreter in tests/backends/coreml, firmware bit for bit in tests/backends/mcu.
"""

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
from edgevit.quantize.sizes import weight_bytes
from edgevit.rewrites import engine
from edgevit.support.backend_info import BACKENDS
from edgevit.targets import load_target
from tests.backends.runtimes.layers import layers, steps_apart, with_every_value

TARGETS = {"qnn": "galaxy-s25", "ethos-u": "ethos-u55-256"}
CASES = [
    ("onnx", "int8"),
    pytest.param("onnx", "w4a8", marks=pytest.mark.long),
    pytest.param("onnx", "w8a16", marks=pytest.mark.long),
    ("tvm", "int8"),
    ("qnn", "int8"),
    pytest.param("qnn", "w8a16", marks=pytest.mark.long),
    ("ethos-u", "int8"),
    ("tflite", "int8"),
    pytest.param("tflite", "auto", marks=pytest.mark.long),
    pytest.param("tflite", "w4a8", marks=pytest.mark.long),
    ("tflite", "w8a16"),
    ("executorch", "int8"),
    pytest.param("executorch", "auto", marks=pytest.mark.long),
    ("executorch", "w4a8"),
]
_MODULES = {"apache-tvm": "tvm", "ethos-u-vela": "ethosu"}
# The NPU converts between floats and 16 bits in float16, whose 11 bits are wider than a step.
_WIDER = {("qnn", "w8a16"): 32}


def require_library(format: str) -> None:
    """Skip the test where the format's runtime is not installed."""
    library = BACKENDS[format].libraries[0]
    pytest.importorskip(_MODULES.get(library, library.replace("-", "_")))


def target_of(format: str) -> str:
    return TARGETS.get(format, "linux-x86")


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
    require_library(format)
    target = load_target(target_of(format))
    torch.manual_seed(0)
    image = torch.rand(1, 3, 16, 16)
    net = Layers().eval().requires_grad_(False)
    source = ModelSource("tests:net", "net", net, (image,), ("x",), "a test", "random")
    backend = backend_for(format, target)
    program, _ = engine.run(capture(source), backend.rules)
    scheme = BACKENDS[format].scheme(precision, target)
    made = quantize_program(program, generated(program, count=8), scheme)  # type: ignore[arg-type]
    whole = with_every_value(made.program)
    request = Lowering(whole, source, target, precision, tmp_path, lambda _: None)
    artifact = backend.lower(request)
    if artifact.stored and not scheme.folded:  # those are given to an export of the whole
        sizes = weight_bytes(made.weights.values(), artifact.stored)
        assert sizes.integers == pytest.approx(sizes.expected, rel=0.03) and sizes.missing == 0
    session = BACKENDS[format].part(str(BACKENDS[format].session))(artifact.path, 1)
    steps: dict[str, list[torch.Tensor]] = {name: [] for name in layers(whole)}
    for one in made.held_out:
        written = session.run([x.numpy() for x in one.inputs])
        apart = steps_apart(whole, one.inputs, written)
        assert set(apart) == set(steps)
        for name, of_picture in apart.items():
            steps[name].append(of_picture)
    for (
        name,
        of_pictures,
    ) in steps.items():  # a token whose zero point rounds the other way is off as a whole
        near = torch.cat(of_pictures) <= _WIDER.get((format, precision), 1.01)
        assert near.float().mean() >= 0.99, (name, torch.cat(of_pictures).max())
