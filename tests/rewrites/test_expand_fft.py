"""Fourier transforms are products with constant matrices, and no complex number is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.graph.program import Program
from edgevit.rewrites.arithmetic.expand_fft import ExpandFft
from tests.rewrites.checking import Call, check_rewrite, kinds

X = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))


def is_real(program: Program) -> bool:
    values = [node.meta["val"] for node in program.calls()]
    return not any(value.is_complex() for value in values if isinstance(value, torch.Tensor))


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: torch.fft.fft2(x.flatten(2)).real,  # FNet
        lambda s, x: torch.fft.irfft2(torch.fft.rfft2(x, norm="ortho") * s.wave, norm="ortho"),
        lambda s, x: torch.fft.irfft(torch.fft.rfft(x), n=5),
        lambda s, x: torch.view_as_real(torch.fft.rfft2(x).mT)[..., 1],
        lambda s, x: torch.fft.ifft(torch.fft.fft(x, dim=1).conj() + 1, dim=1).abs(),
        lambda s, x: (torch.exp(1j * x) * torch.fft.fft(x) * (2 - 3j)).real,
        lambda s, x: torch.view_as_real(torch.polar(x, x + 1)),
        lambda s, x: torch.angle(torch.fft.fft(x) + 1),
        lambda s, x: (torch.fft.fft(x) / (torch.fft.ifft(x) + 1) + x / torch.fft.fft(x)).real,
        lambda s, x: torch.fft.irfft(torch.fft.rfft(x, n=9) * torch.fft.rfft(x, n=9), n=7),
        lambda s, x: torch.fft.ifft2(torch.fft.fft2(x, s=(4, 8))).real,
        lambda s, x: torch.fft.irfftn(torch.fft.rfftn(x, s=(6, 5)), s=(6, 5)),
        lambda s, x: torch.fft.ifftshift(
            torch.fft.fftshift(torch.fft.fft(x)) * x, dim=(2, 3)
        ).abs(),
    ],
    ids=[
        "real part",
        "filter",
        "odd",
        "pairs",
        "length",
        "power",
        "polar",
        "angle",
        "quotient",
        "padded",
        "cut",
        "last axes",
        "shifts",
    ],
)
def test_no_complex_number_is_left(function: Callable[..., torch.Tensor]) -> None:
    net = Call(function, wave=torch.randn(6, 3, dtype=torch.complex64))
    after = check_rewrite(ExpandFft(), net, X, fires=1)
    assert is_real(after)
    assert not any(name.startswith("fft") for name in kinds(after))


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, x: torch.fft.fft(x).tanh().real, "`tanh` of complex numbers"),
        (lambda s, x: (1 / torch.fft.fft(x)).real, "`reciprocal` of complex numbers"),
        (lambda s, x: (torch.fft.fft(x) + 2j).real, "complex number is written into a call"),
    ],
    ids=["other", "reciprocal", "literal"],
)
def test_what_is_refused(function: Callable[..., torch.Tensor], why: str) -> None:
    check_rewrite(ExpandFft(), Call(function), X, refuses=why)


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(*[st.integers(1, 6)] * 3),
    st.sets(st.integers(0, 2), min_size=1),
    st.sampled_from(["backward", "ortho", "forward"]),
    st.booleans(),
)
def test_any_axes(sizes: tuple[int, ...], axes: set[int], norm: str, half: bool) -> None:
    dims = sorted(axes)

    def function(_: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        if half:
            wave = torch.fft.rfftn(x, dim=dims, norm=norm)
            return torch.fft.irfftn(wave, [x.shape[d] for d in dims], dims, norm) + 1
        wave = torch.fft.fftn(x, dim=dims, norm=norm)
        return wave.real + torch.fft.ifftn(wave, dim=dims, norm=norm).imag + wave.imag

    check_rewrite(ExpandFft(), Call(function), torch.randn(sizes), fires=1)
