"""What XNNPACK and ExecuTorch's converter compute otherwise, or do not take, is right in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.backends.api import Lowering, backend_of
from edgevit.backends.worker import Worker
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.parity import distance
from edgevit.rewrites import engine
from edgevit.targets import load_target

pytest.importorskip("executorch", reason="pip install 'edgevit[executorch]'")

Function = Callable[..., torch.Tensor]
X = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0))


class Many(nn.Module):
    """Each function's value is an output, so that one conversion serves them all."""

    def __init__(self, functions: dict[str, Function]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.functions = functions
        self.stem, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.row, self.long = nn.Parameter(torch.randn(8, 8)), nn.Parameter(torch.randn(4, 4, 3))
        self.column, self.whole = nn.Parameter(torch.randn(6, 1)), nn.Parameter(torch.randn(6, 8))
        self.image = nn.Parameter(torch.randn(1, 4, 6, 8))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        image = self.stem(x)  # from here on XNNPACK keeps images channels-last
        found = [function(self, image) for function in self.functions.values()]
        return [self.head(y) if y.shape[1:2] == (4,) and y.ndim == 4 else y for y in found]


def through(functions: dict[str, Function], folder: Path) -> dict[str, float]:
    """How far each output of the saved file is from what PyTorch computes."""
    model = Many(functions).eval()
    with torch.no_grad():
        pairs = zip(functions, model(X), run_from_file(model, X, folder), strict=True)
        return {name: distance((mine,), (its,)).rel_l2 for name, mine, its in pairs}


def run_from_file(model: nn.Module, x: torch.Tensor, folder: Path) -> list[torch.Tensor]:
    """Outputs of the saved file."""
    source = ModelSource("test", "net", model, (x,), ("x",), "a test", "as built")
    backend = backend_of("executorch")
    program, _ = engine.run(capture(source), backend.rules)
    target = load_target("linux-x86")
    artifact = backend.lower(Lowering(program, source, target, "fp32", folder, lambda _: None))
    with Worker("executorch", threads=1) as worker:
        worker.open(artifact.path)
        return [torch.from_numpy(a) for a in worker.run([x.numpy()])]


def reluctant(s: Many, x: torch.Tensor) -> torch.Tensor:
    """The sum has one reader, so that its clamps are merged into it."""
    return F.hardtanh(F.relu(x + x.mean()), -0.3, 0.4)


TRAPS: dict[str, Function] = {
    "a softmax over columns": lambda s, x: x.softmax(-1),
    "a softmax over rows": lambda s, x: x.softmax(-2),
    "a softmax over channels": lambda s, x: x.softmax(1),
    "a log-softmax": lambda s, x: x.log_softmax(-1),
    "relu, then hardtanh": reluctant,
    "relu6, then relu": lambda s, x: F.relu(F.relu6((x - x.amin()) * 9)),
    "hardtanh twice": lambda s, x: F.hardtanh(F.hardtanh(s.stem(x), -0.5, 0.5), -0.2, 0.9),
    "after a linear layer": lambda s, x: F.relu(F.hardtanh(F.linear(x, s.row), -0.4, 0.4)),
    "bilinear by a scale": lambda s, x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "addmm with factors": lambda s, x: torch.addmm(s.whole, x[0, 0], s.row, beta=0.5, alpha=2),
    "addmm with a column": lambda s, x: torch.addmm(s.column, x[0, 0], s.row),
    "weights of two conv1d": lambda s, x: F.conv1d(F.conv1d(x.flatten(2), s.long), s.long),
    "weights of conv1d and a sum": lambda s, x: s.long * x.mean(),
    "gelu by tanh": lambda s, x: F.gelu(x, approximate="tanh"),
    "elu with factors": lambda s, x: torch.ops.aten.elu(x, 0.7, 2.0, 0.5),
    "seven axes": lambda s, x: x.reshape(2, 2, 2, 3, 2, 4, 2).permute(0, 3, 1, 5, 2, 4, 6) * 2,
    "a slice from before the start": lambda s, x: x[:, :, -100:3],
    "prelu of three axes": lambda s, x: F.prelu(x.flatten(2), s.image[0, :, 0, 0]),
    "prelu of four": lambda s, x: F.prelu(x, s.image[0, :, 0, 0]),
    "one constant in two layouts": lambda s, x: (
        x * s.image + (x.flatten(1).reshape(2, 4, 6, 8) * s.image).softmax(3)
    ),
    "a negative pad": lambda s, x: F.pad(x, (-1, 1, 0, -1)),
    "a remainder of whole numbers": lambda s, x: ((x * 9).int() % 4).float(),
    "a row that broadcasts": lambda s, x: x * s.row[0] - s.column,
    "a concatenation of repeats": lambda s, x: torch.cat([x, x * 2] * 4, 3),
    "a mean that drops its axes": lambda s, x: x.mean((2, 3)),
    "a large maximum": lambda s, x: x.amax((2, 3), keepdim=True) - x,
}


@pytest.fixture(scope="module")
def distances(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    return through(TRAPS, tmp_path_factory.mktemp("traps"))


@pytest.mark.parametrize("name", TRAPS)
def test_is_right_in_the_file(name: str, distances: dict[str, float]) -> None:
    assert distances[name] < 1e-5


def test_signs_of_zero_and_norms_of_large_offsets(tmp_path: Path) -> None:
    """XNNPACK's negation has no -0; the portable norms take E[x^2] - E[x]^2."""
    functions: dict[str, Function] = {
        "atan2": lambda s, x: torch.atan2(-torch.relu(x), -x.abs() - 1),
        "atan2 of a view": lambda s, x: torch.atan2(-torch.relu(x).flatten(2), x.flatten(2)),
        "batch": lambda s, x: F.batch_norm(s.stem(x) + 100, None, None, training=True),
        "layers": lambda s, x: F.layer_norm(s.stem(x) + 100, (6, 8)),
        "constant": lambda s, x: F.layer_norm(x * 0 + 0.5, (6, 8), eps=1e-12) + x,
    }
    for name, error in through(functions, tmp_path).items():
        assert error < 1e-4, name


class Packed(nn.Module):
    """Projections by parts of one weight, as an attention has them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(24, 8))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [F.linear(x, part) for part in self.weight.chunk(3)]


def test_parts_of_a_weight_are_not_its_beginning(tmp_path: Path) -> None:
    x = torch.randn(4, 1, 8)
    net = Packed().eval().requires_grad_(False)
    for mine, theirs in zip(net(x), run_from_file(net, x, tmp_path), strict=True):
        assert torch.allclose(theirs, mine, atol=1e-5)
