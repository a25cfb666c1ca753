"""What the random nets have found: each once, as small as it gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.coreml.backend import BACKEND
from edgevit.errors import CaptureError
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.aten import kind
from edgevit.graph.parity import distance
from edgevit.graph.program import Program
from edgevit.rewrites import engine
from edgevit.rewrites.standard import STANDARD
from edgevit.targets import load_target

X = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))


class Of(nn.Module):
    """A function of a convolution's output, so that it may be written into."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.function = nn.Conv2d(4, 4, 1), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.conv(x))


def source_of(model: nn.Module) -> ModelSource:
    return ModelSource("test", "net", model.eval(), (X,), ("x",), "a test", "as built")


def eager(model: nn.Module) -> tuple[torch.Tensor, ...]:
    with torch.no_grad():
        return (model(X.clone()),)


def rewritten(model: nn.Module) -> Program:
    program = capture(source_of(model))
    assert distance(eager(model), program.run()).rel_l2 <= 1e-6
    after, _ = engine.run(program, STANDARD)
    assert distance(eager(model), after.run()).rel_l2 <= 1e-5
    return after


def wider_in_place(y: torch.Tensor) -> torch.Tensor:
    y += torch.linspace(0, 1, 8, dtype=torch.float64)
    return F.relu(y)


def dropout_is_a_view(y: torch.Tensor) -> torch.Tensor:
    z = F.dropout2d(y, 0.5, training=False)
    z += 1
    return y * z


def written_through_einsum(y: torch.Tensor) -> torch.Tensor:
    z = torch.einsum("bchw->bchw", y)
    z.mul_(2)
    return y + 1


ALL_THE_WAY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "a pad that shifts": lambda y: F.relu(F.pad(y, (1, -1))),
    "a pad that shifts and crops": lambda y: F.pad(y, (-1, 2, 1, -1), value=0.5).sigmoid(),
    "a reflecting pad that names its value": lambda y: F.pad(y, (1, 1, 1, 1), "reflect", 0),
    "a circular pad": lambda y: F.pad(y, (1, 2, 3, 0), mode="circular"),
    "an average over another number": lambda y: F.avg_pool2d(y, 3, 1, 1, False, False, 4).relu(),
    "a pool of one that divides": lambda y: F.avg_pool2d(y, 1, 1, divisor_override=2).relu(),
    "a dilated maximum": lambda y: F.max_pool2d(y, 3, 1, 1, dilation=2).relu(),
    "a dilated, strided maximum": lambda y: F.max_pool2d(y, (2, 3), 2, 1, dilation=(2, 1)).relu(),
    "a floor division by one": lambda y: y + 3 * y // 1,
    "one over small values": lambda y: 1 / (y.abs() + 0.01),
    "either of two masks": lambda y: torch.where((y > 1) | (y < 0), y, 0.5),
    "windows along an axis": lambda y: y.unfold(3, 3, 2).amax(-1),
    "a wider sum in place": wider_in_place,
    "a write into what dropout gave": dropout_is_a_view,
}


@pytest.mark.parametrize("name", ALL_THE_WAY)
def test_is_rewritten_right(name: str) -> None:
    rewritten(Of(ALL_THE_WAY[name]))


@pytest.mark.parametrize("name", ALL_THE_WAY)
def test_is_lowered_right(name: str, tmp_path: Path) -> None:
    lowered_right(Of(ALL_THE_WAY[name]), tmp_path)


def lowered_right(model: nn.Module, folder: Path) -> None:
    pytest.importorskip("coremltools", reason="pip install 'edgevit[coreml]'")
    source = source_of(model)
    program, _ = engine.run(capture(source), BACKEND.rules)
    request = Lowering(program, source, load_target("iphone"), "fp32", folder, lambda _: None)
    for parity in BACKEND.check(
        BACKEND.lower(request), Expected(source.inputs, eager(model), program)
    ):
        assert parity.passed, parity


def tracking() -> nn.Module:
    norm = nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.fill_(0.4)
    norm.running_var.fill_(3.0)
    return nn.Sequential(nn.Conv2d(4, 4, 3), norm)


def test_an_instance_norm_that_tracks_is_a_batch_norm_and_folds(tmp_path: Path) -> None:
    assert [kind(node) for node in rewritten(tracking()).calls()] == ["conv2d"]
    lowered_right(tracking(), tmp_path)


def test_a_write_that_torch_loses_is_refused() -> None:
    with pytest.raises(CaptureError, match="loses a write in place"):
        capture(source_of(Of(written_through_einsum)))


def test_a_generator_in_the_graph_is_refused() -> None:
    def shuffled(y: torch.Tensor) -> torch.Tensor:
        return y[:, torch.randperm(4, generator=torch.Generator().manual_seed(1))]

    with pytest.raises(CaptureError, match="reads a Generator"):
        capture(source_of(Of(shuffled)))
