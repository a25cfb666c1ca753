"""Import of float programs: how near the integers are, what is refused, and what the user is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.backends.mcu.noisiest import noisiest
from edgevit.errors import CalibrationError, EdgevitError, UnsupportedOpError, UsageError
from edgevit.graph.parity import distance
from edgevit.integer.lowering.lower import quantize
from edgevit.integer.lowering.quantized import QuantOptions
from edgevit.quantize.calibration import Calibration, ImageInput, from_arrays
from tests.quantize.imported import imported, rewritten
from tests.rewrites.checking import Call

IMAGE = torch.randn(1, 3, 12, 12, generator=torch.Generator().manual_seed(1))


class Squeeze(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 6, 3, padding=1)
        self.gate = nn.Conv2d(6, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.inner(x))
        return x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()


class Twice(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


NETS = {
    "conv relu": nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU()),
    "conv relu6 depthwise": nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU6(), nn.Conv2d(8, 8, 5, padding=2, groups=8)
    ),
    "grouped": nn.Conv2d(3, 6, 3, groups=3),
    "residual": Twice(nn.Conv2d(3, 3, 1)),
    "gelu": nn.Sequential(nn.Conv2d(3, 8, 1), nn.GELU(), nn.Conv2d(8, 4, 1)),
    "silu hardswish": nn.Sequential(nn.Conv2d(3, 8, 1), nn.SiLU(), nn.Hardswish()),
    "pools": nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2)),
    "head": nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)),
    "upsample": nn.Sequential(nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=2)),
    "squeeze": Squeeze(),
    "group norm": nn.Sequential(nn.Conv2d(3, 8, 1), nn.GroupNorm(1, 8), nn.Conv2d(8, 4, 1)),
    "batch norm": nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)),
    "nobody home": nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_integers_are_near(name: str) -> None:
    torch.manual_seed(0)
    net = NETS[name].eval()
    if name == "nobody home":
        net[0].weight.data[1] = 0  # a channel of zeros
        net[0].bias.data[1] = 0
    found = imported(net, IMAGE)
    (given,) = found.run((IMAGE,))
    with torch.no_grad():
        assert distance([net(IMAGE)], [given]).cosine > 0.995
    assert found.report.outputs > 18  # decibels


@pytest.mark.parametrize("observer", ["min-max", "percentile", "mse"])
@pytest.mark.parametrize("residual", ["int8", "int16"])
def test_every_way_to_calibrate(observer: str, residual: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(Twice(nn.Conv2d(3, 3, 1)), Twice(nn.Conv2d(3, 3, 3, padding=1)))
    found = imported(net, IMAGE, options=QuantOptions(observer=observer, residual=residual))
    with torch.no_grad():
        assert distance([net(IMAGE)], found.run((IMAGE,))).cosine > 0.99


def test_all_that_is_not_supported_is_told_at_once() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cumprod(x, 1) + torch.cummax(x, 1).values

    with pytest.raises(UnsupportedOpError) as caught:
        imported(Odd(), IMAGE)
    assert "cumprod" in str(caught.value) and "cummax" in str(caught.value)
    assert "test_quantize.py" in str(caught.value)


def test_a_batch_is_refused() -> None:
    with pytest.raises(UsageError, match="batch of 2"):
        imported(nn.ReLU(), torch.randn(2, 3, 4, 4))


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ((), "nothing to calibrate on"),
        (((torch.full((1, 3, 12, 12), float("nan")),),), "NaN"),
        (((torch.full((1, 3, 12, 12), float("inf")),),), "infinite"),
        (((torch.zeros(1, 3, 8, 8),),), "1x3x8x8"),
    ],
)
def test_calibration_that_cannot_be_used(runs: tuple, said: str) -> None:
    program = rewritten(nn.Conv2d(3, 4, 1), IMAGE)
    with pytest.raises(CalibrationError) as caught:
        quantize(program, Calibration(runs, "these"))
    assert said in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not numpy", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_array(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(EdgevitError, match=r"x\.npy"):
        from_arrays(tmp_path / "x.npy", rewritten(nn.Conv2d(3, 4, 1), IMAGE))


@pytest.mark.parametrize(("low", "high"), [(-2.1, 2.6), (0.0, 1.0), (0.0, 65535.0)])
def test_an_array_that_is_no_pixels_where_pixels_are_taken(
    low: float, high: float, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.linspace(low, high, 2 * 432).reshape(2, 3, 12, 12))
    program = rewritten(nn.Conv2d(3, 4, 1), IMAGE)
    with pytest.raises(CalibrationError, match=r"takes pixels of 0 to 255"):
        from_arrays(tmp_path / "x.npy", program, ImageInput(pixels=True))


def test_pixels_are_taken_as_they_are() -> None:
    program = rewritten(nn.Conv2d(3, 4, 1), IMAGE)
    dark = torch.randint(3, 200, IMAGE.shape).float()  # neither end of the scale is in it
    (port,) = quantize(program, Calibration(((dark,),), "these")).inputs
    assert (port.value.scale, port.value.zero) == (1.0, -128)


def test_images_from_an_array(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(5, 3, 12, 12)))
    program = rewritten(nn.Conv2d(3, 4, 1), IMAGE)
    given = from_arrays(tmp_path / "x.npy", program)
    assert len(given.inputs) == 5
    assert quantize(program, given).graph.macs() == 12 * 12 * 12


@pytest.mark.parametrize("wide", ["stride", "depth"])
def test_a_size_that_a_kernel_has_no_field_for(wide: str) -> None:
    """It is the network's, not our bug."""
    if wide == "stride":
        net, x = nn.Conv2d(1, 2, 1, stride=256), torch.randn(1, 1, 300, 300)
    else:
        net, x = nn.Linear(2**16, 1), torch.randn(1, 2**16)
    with pytest.raises(UnsupportedOpError, match=r"`(conv2d|linear)` \(1x\)") as caught:
        imported(net, x)
    assert "the kernels count to" in caught.value.why and "test_quantize" not in caught.value.why


class Heads(nn.Module):
    """What small nets have around their convolutions, each in several axes or by a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.prelu = nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.PReLU(8)  # fmt: skip
        self.pool, self.head = nn.AdaptiveMaxPool2d(1), nn.Linear(24, 5)
        with torch.no_grad():
            self.prelu.weight.uniform_(-0.5, 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.prelu(self.norm(self.conv(x)))
        ends = [self.pool(x).flatten(1), x.amax((2, 3)), x.amin((2, 3))]
        return self.head(torch.cat(ends, 1)).log_softmax(-1)


def test_heads_by_other_names() -> None:
    torch.manual_seed(0)
    net = Heads()
    (found,) = imported(net, IMAGE).run((IMAGE,))
    assert torch.cosine_similarity(found, net(IMAGE)).item() > 0.995


class Masks(nn.Module):
    """Choices by masks of the same number, of another, and a mask that is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 8, 3), *(nn.Conv2d(8, 8, 1) for _ in range(3))])
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second, third, last = self.convs
        x = first(x)
        x = torch.where((x > -0.5) & (x < 0.5), x * x, x.abs())
        x = second(x)
        x = x * (x > 0).float()
        x = third(x)
        x = torch.where(x[:, :1] > 0, x, -0.5 * x)
        x = nn.functional.logsigmoid(last(x))
        return self.head(x.mean((2, 3)))


def test_masks_are_tables_and_products() -> None:
    torch.manual_seed(0)
    net = Masks()
    quantized = imported(net, IMAGE)
    (found,) = quantized.run((IMAGE,))
    assert torch.cosine_similarity(found, net(IMAGE)).item() > 0.995
    kinds = [op.kind for op in quantized.graph.ops]
    assert kinds.count("lookup") <= 5  # one for each choice by one number, two for that by another


def test_means_and_extremes_of_all() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 3)
    net = Call(lambda s, x: (s.conv(x) - s.conv(x).mean()) * (s.conv(x).max() - s.conv(x).sum() / 800))  # fmt: skip
    net.add_module("conv", conv)
    (found,) = imported(net, IMAGE).run((IMAGE,))
    assert torch.cosine_similarity(found.flatten(), net(IMAGE).flatten(), 0).item() > 0.995


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.lstm = nn.GRU(3, 8, batch_first=True), nn.LSTM(8, 6, batch_first=True)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.gru(x.mean(2).mT)[0])[1][0][0])


def test_recurrent_layers() -> None:
    torch.manual_seed(0)
    net, x = Recurrent(), torch.randn(1, 3, 4, 8)
    (found,) = imported(net, x).run((x,))
    assert torch.cosine_similarity(found, net(x)).item() > 0.99


def test_a_net_may_end_in_one_number() -> None:
    """A verdict, yes or no."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1), nn.Sigmoid())  # fmt: skip
    (found,) = imported(net, IMAGE).run((IMAGE,))
    torch.testing.assert_close(found, net(IMAGE), atol=0.01, rtol=0)


class LinearAttention(nn.Module):
    """Two heads; the sum of the keys is a column of ones behind the values."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.qkv = nn.Conv2d(16, 48, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.qkv(torch.relu(self.stem(x)))
        q, k, v = x.reshape(1, 2, 24, 36).transpose(-1, -2).chunk(3, dim=-1)
        v = nn.functional.pad(v, (0, 1), value=1.0)
        y = torch.relu(q) @ (torch.relu(k).transpose(-1, -2) @ v)
        return (y[..., :-1] / (y[..., -1:] + 1e-5)).mean(2)


@pytest.mark.parametrize("observer", ["min-max", "percentile", "mse"])
def test_a_quotient_of_zeros_takes_no_grid(observer: str) -> None:
    """Queries of zeros have a reciprocal of 1e5, and nothing to multiply it with."""
    torch.manual_seed(0)
    net = LinearAttention().eval()
    found = imported(net, IMAGE, options=QuantOptions(observer=observer))
    with torch.no_grad():
        assert distance([net(IMAGE)], found.run((IMAGE,))).cosine > 0.99


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_quotient_is_weighed_with_the_dividend_of_its_own_run(place: int) -> None:
    """One of several runs, which go through the graph together, has a pixel of zeros."""

    class Shares(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(x)
            return y / (y.sum(1, keepdim=True) + 1e-5)

    torch.manual_seed(0)
    images = [torch.rand(1, 4, 6, 6) + 0.1 for _ in range(3)]
    images[place][..., 0, 0] = 0
    program = rewritten(Shares(), images[0])
    result = quantize(program, Calibration(tuple((x,) for x in images), "test")).run((images[0],))
    assert distance([Shares()(images[0])], result).cosine > 0.99


def test_what_is_lost_is_named_where_it_is_lost() -> None:
    class Faint(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.cat((x.sigmoid() * 1e-3, x), 1).flatten(2)
            return (y @ y.transpose(1, 2))[:, :3, :3] * 1e6

    report = imported(Faint(), IMAGE).report
    assert report.lost_at is not None and report.lost_at.call == "mul"
    (first, *_) = noisiest({"quantization": {"lost_at": report.lost_at.as_dict(), "worst": []}})
    assert first.startswith("the signal is lost at `") and "test_quantize.py:" in first
