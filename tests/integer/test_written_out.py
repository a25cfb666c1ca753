"""Functions that have no integer operation of their own, and are written as those that have one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.graph.parity import distance
from edgevit.quantize.calibration import Calibration
from tests.quantize.imported import imported
from tests.rewrites.checking import Call

X = torch.randn(1, 6, 5, 7, generator=torch.Generator().manual_seed(3))


def global_response(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Scale channels by their lengths over all places, as ConvNeXt V2 does."""
    lengths = x.norm(dim=(2, 3), keepdim=True)
    shares = lengths / (lengths.mean(1, keepdim=True) + 1e-6)
    bias, weight = torch.linspace(-1, 1, 6)[:, None, None], torch.linspace(0.5, 2, 6)[:, None, None]
    return x + torch.addcmul(bias, weight, x * shares)


FUNCTIONS: dict[str, Callable[[nn.Module, torch.Tensor], torch.Tensor]] = {
    "addcdiv": lambda _, x: torch.addcdiv(x, x, x.abs() + 1, value=0.5),
    "addcmul": lambda _, x: torch.addcmul(x, x, x.sigmoid(), value=2),
    "aminmax": lambda _, x: x.aminmax(dim=1)[1] - x.aminmax(dim=1)[0],
    "diagonal": lambda _, x: x.diagonal(0, 2, 3),
    "diff": lambda _, x: x.diff(dim=3),
    "global response": global_response,
    "hypot": lambda _, x: torch.hypot(x[:, :3], x[:, 3:]),
    "lerp": lambda _, x: torch.lerp(x[:, :3], x[:, 3:], 0.3),
    "lerp by values": lambda _, x: torch.lerp(x, x.flip(1), x.sigmoid()),
    "median": lambda _, x: x.median(1)[0],
    "nearest centres": lambda _, x: F.interpolate(x, size=(8, 9), mode="nearest-exact"),
    "nearest by a fraction": lambda _, x: F.interpolate(x, size=(8, 9)),
    "product": lambda _, x: x[:, :2].prod(1),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_near(name: str) -> None:
    net = Call(FUNCTIONS[name])
    quantized = imported(net, X, calibration=Calibration(((X,),), "the example"))
    with torch.no_grad():
        assert distance([net(X)], quantized.run((X,))).cosine > 0.999
