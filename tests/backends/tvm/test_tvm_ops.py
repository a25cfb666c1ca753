"""What TVM's importer does not know, or computes otherwise, is exact all the same: from the saved library."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from edgevit.backends.api import Expected, backend_of
from edgevit.errors import UnsupportedOpError
from tests.backends.runtimes.through import checked, eager, lowered, source_of

X = torch.randn(2, 4, 9, 8, generator=torch.Generator().manual_seed(0))
WHOLE = torch.arange(-12, 12).reshape(2, 3, 4)
BY = torch.tensor([-3, 2, 5, -1])
ONE = torch.ones(9, 5)
EXACT = torch.tensor(
    [0.6, -0.6, 1.2, 7.5, -7.5, 0.0]
)  # multiples of 0.3, as near as float32 has them


class Calls(nn.Module):
    """Several functions of the same inputs in one library: compiling is what takes time."""

    def __init__(self, functions: tuple[Callable, ...]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        return [function(*inputs) for function in self.functions]


GROUPS: dict[str, tuple[tuple[Callable, ...], tuple[torch.Tensor, ...]]] = {
    "numbers beside integers": (
        (
            lambda i, n: i * 0.5,
            lambda i, n: i / n,
            lambda i, n: (i > 0.5).float() + i,
            lambda i, n: torch.add(i, n, alpha=3),
            lambda i, n: torch.rsub(i, n, alpha=2),
            lambda i, n: i**3,
            lambda i, n: i.float().mean((0, 2)),
        ),
        (WHOLE, BY),
    ),
    "quotients of integers": (
        (
            lambda i, n: i // n,
            lambda i, n: torch.div(i, n, rounding_mode="trunc"),
            lambda i, n: torch.div(i, -4, rounding_mode="trunc"),
            lambda i, n: i % n,
            lambda i, n: torch.fmod(i, n),
        ),
        (WHOLE, BY),
    ),
    "quotients of real numbers": (
        (
            lambda x: x // 0.3,
            lambda x: x % 0.3,
            lambda x: x % -0.3,
            lambda x: torch.fmod(x, 0.3),
            lambda x: torch.div(x, 0.3, rounding_mode="trunc"),
        ),
        (EXACT,),
    ),
    "activations": (
        (F.selu, lambda x: F.celu(x, 0.5), lambda x: F.elu(x, 0.7), lambda x: (2 * x).round()),
        (X,),
    ),
    "alpha of real numbers": (
        (lambda x: torch.add(x, x, alpha=0.5), lambda x: torch.sub(x, 1, alpha=3)),
        (X,),
    ),
    "indices": (
        (
            lambda x: x[:, -1],
            lambda x: x[:, :, torch.tensor([-1, 0, -2])],
            lambda x: x[:, torch.tensor([0, 1, 2]), :, torch.tensor([1, 2, 3])],
            lambda x: x[:, torch.tensor([0, 1]), torch.tensor([-1, 3])],
            lambda x: x[:, :, torch.tensor([[0], [2]]), torch.tensor([[0, -1, 1]])],
        ),
        (X,),
    ),
    "splits": (
        (
            lambda x: x.split(4, 2)[2],
            lambda x: torch.cat(x.split([1, 0, 7], -1)[::-1], -1),
            lambda x: x[:, :, 20:].sum() + x[:, :, -100:3],
        ),
        (X,),
    ),
    "pools": (
        (
            lambda x: F.adaptive_avg_pool2d(x, (4, 3)),
            lambda x: F.adaptive_max_pool2d(x, (4, 3)),
            lambda x: F.interpolate(x, (1, 1), mode="bilinear", align_corners=True),
            lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear"),
        ),
        (X,),
    ),
    "sorted": (
        (
            lambda x: x.sort(1)[1],
            lambda x: x.max(2)[1],
            lambda x: x.min(-1, keepdim=True)[1],
            lambda x: x.topk(3, 2)[1],
            lambda x: torch.sort((x * 2).round(), dim=2, stable=True, descending=True)[1],
        ),
        (X,),
    ),
    "whole tensors": (
        (
            lambda x: torch.cdist(x, x.flip(1)),
            lambda x: x.unfold(2, 3, 2).mean(-1),
            lambda x: torch.var_mean(x, dim=1)[0],
            lambda x: x.std((2, 3), unbiased=False),
            lambda x: F.group_norm(x, 2),
            lambda x: F.group_norm(x, 1, bias=x[0, :, 0, 0]),
            lambda x: x.prod(1),
        ),
        (X,),
    ),
    "mixers": (
        (
            lambda x: F.normalize(x, dim=1),
            lambda x: F.adaptive_avg_pool2d(x.clamp(min=1e-6).pow(3.0), 1).pow(1 / 3.0),
            lambda x: torch.fft.fft2(x.flatten(2)).real,
            lambda x: torch.fft.irfft2(torch.fft.rfft2(x) * torch.complex(ONE, 2 * ONE), s=(9, 8)),
        ),
        (X,),
    ),
}


@pytest.mark.parametrize("group", GROUPS)
def test_exact(group: str, tmp_path: Path) -> None:
    functions, inputs = GROUPS[group]
    parity = checked("tvm", source_of(Calls(functions), *inputs), tmp_path)
    assert parity.distance.rel_l2 < 1e-5, parity


def test_integers_are_pytorchs_and_share_functions(tmp_path: Path) -> None:
    """Halves become even; of one shape, other scales and zero points need no other function."""
    import torch.ao.quantization.fx._decomposed  # registers the calls

    pairs = torch.ops.quantized_decomposed

    def through(x: torch.Tensor, scale: float, zero: int) -> torch.Tensor:
        how = (scale, zero, -128, 127, torch.int8)
        return pairs.dequantize_per_tensor(pairs.quantize_per_tensor(x, *how), *how)

    halves = torch.arange(-140.5, 139.5).reshape(1, 4, 7, 10)
    functions = tuple(partial(through, scale=s, zero=z) for s, z in ((1.0, 0), (2.0, 3), (0.5, -9)))
    source = source_of(Calls(functions), halves)
    artifact, program = lowered("tvm", source, tmp_path)
    assert artifact.delegation is not None and artifact.delegation.ops_inside == 2
    (parity,) = backend_of("tvm").check(artifact, Expected(source.inputs, eager(source), program))
    assert parity.distance.rel_l2 == 0


def test_the_places_of_maxima_are_refused(tmp_path: Path) -> None:
    net = Calls((lambda x: F.max_pool2d(x, 2, return_indices=True)[1],))
    with pytest.raises(UnsupportedOpError, match="max_pool2d") as caught:
        lowered("tvm", source_of(net, X), tmp_path)
    assert "indices of the maxima" in caught.value.why
    assert "test_tvm_ops.py" in caught.value.where


def test_an_importer_that_departs_is_refused(tmp_path: Path, monkeypatch) -> None:
    """Whatever a converter makes is held to PyTorch's shape and type."""
    from edgevit.backends.tvm import converters

    ours = {**converters.OURS, "mul.Tensor": lambda node, importer: importer.env[node.args[1]]}
    monkeypatch.setattr(converters, "OURS", ours)
    net = Calls((lambda x: x * x.mean((2, 3), keepdim=True),))
    with pytest.raises(UnsupportedOpError, match="`mul") as caught:
        lowered("tvm", source_of(net, X), tmp_path)
    assert "makes (2, 4, 1, 1) float32" in caught.value.why
    assert "test_tvm_ops.py" in caught.value.where
