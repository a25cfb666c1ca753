"""Functions that runtimes lack, as arithmetic: all of them, on numbers at their edges."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from edgevit.graph.parity import distance
from edgevit.rewrites.arithmetic.expand_functions import ExpandFunctions
from edgevit.rewrites.arithmetic.functions import FUNCTIONS
from tests.rewrites.checking import Call, check_rewrite

X = torch.tensor([[-2.5, -0.3, 0.0], [1e-6, 3.0, 1.5], [2.0, 3.0, -7.0]])
Y = torch.tensor([[1.5, -0.3, 2.0], [-4.0, 0.5, 1.5], [2.0, -3.0, 7.0]])
SPOILT = torch.tensor([[float("nan"), 1.0, float("inf")], [-float("inf"), 2.0, -3.0]])
INTEGERS = torch.tensor([[3, 0, -2], [5, 1, 1]])
EDGES = torch.tensor([-3.0, 1.0, 1.0, 2.0])
VOLUME = torch.arange(120.0).reshape(1, 2, 4, 5, 3)
ROWS = torch.tensor([[0.0, -2.5], [1.5, 1.5], [3.0, 2.0]])

CASES: dict[str, tuple[Callable[..., object], tuple[torch.Tensor, ...]]] = {
    "__and__.Scalar": (lambda s, x: torch.stack([(x & k).float() for k in (0, 1, 5, 6, -2, -7)]), (INTEGERS,)),
    "__or__.Scalar": (lambda s, x: torch.stack([(x | k).float() for k in (1, 6, -4)]), (INTEGERS.to(torch.int8),)),
    "__xor__.Scalar": (lambda s, x: torch.stack([(x ^ k).float() for k in (1, 6, -4)]), (INTEGERS.int(),)),
    "__lshift__.Scalar": (lambda s, x: (x << 3).float(), (INTEGERS,)),
    "__rshift__.Scalar": (lambda s, x: (x >> 1).float(), (INTEGERS,)),
    "bitwise_and.Scalar": (lambda s, x: (7 & x).float(), (INTEGERS.to(torch.uint8),)),
    "bitwise_not": (lambda s, x: (~x).float(), (INTEGERS,)),
    "adaptive_avg_pool3d": (lambda s, x: torch.cat([torch.nn.functional.adaptive_avg_pool3d(VOLUME * x[0, 0], size).flatten() for size in (1, (4, 5, 3), (2, 2, None))]), (X,)),
    "masked_scatter": (lambda s, x, y: torch.cat([x.masked_scatter(x > 0, y).flatten(), x.masked_scatter(y[:, :1] > 2, y).flatten()]), (X, Y)),
    "abs": (lambda s, x: torch.abs(x).float(), (INTEGERS,)),
    "acosh": (lambda s, x: torch.acosh(x.abs() + 1), (X,)),
    "addbmm": (lambda s, x, y: torch.addbmm(x, x[None], y[None], beta=0.5, alpha=2), (X, Y)),
    "addmv": (lambda s, x, y: torch.addmv(x[0], x, y[0], beta=0), (X, Y)),
    "aminmax": (lambda s, x: torch.aminmax(x, dim=1), (X,)),
    "all": (lambda s, x: torch.all(x).float(), (X,)),
    "all.dim": (lambda s, x: torch.all(x, 0).float(), (X * 0.1,)),
    "any.dims": (lambda s, x: torch.any(x, dim=(0, 1)).float(), (X,)),
    "angle": (lambda s, x: torch.angle(x), (X,)),
    "argmax": (lambda s, x: torch.argmax(x), (X,)),
    "argmin": (lambda s, x: torch.argmin(x, keepdim=True), (X,)),
    "asinh": (lambda s, x: torch.asinh(x), (X,)),
    "atan2": (lambda s, x, y: torch.atan2(torch.cat([x, x * 0, y, x * 0]), torch.cat([y, y, y * 0, y * 0])), (X, Y)),
    "bucketize.Tensor": (lambda s, x: torch.bucketize(x, EDGES, right=True), (SPOILT,)),
    "searchsorted.Tensor": (lambda s, x: torch.searchsorted(ROWS, x, out_int32=True, sorter=ROWS.argsort(-1)), (X,)),
    "argsort.stable": (lambda s, x: torch.argsort(x.round(), stable=True, dim=0).float(), (X,)),
    "bilinear": (lambda s, x, y: torch.nn.functional.bilinear(x, y, torch.arange(18.0).reshape(2, 3, 3), x[0, :2]), (X, Y)),
    "linalg_det": (lambda s, x: torch.linalg.det(torch.stack([x, x.mT]) + 4 * torch.eye(3)), (X,)),
    "linalg_inv": (lambda s, x: torch.linalg.inv((x + 4 * torch.eye(3))[None, :2, :2]), (X,)),
    "inverse": (lambda s, x: torch.inverse(torch.stack([x, x.mT]) + 4 * torch.eye(3)), (X,)),
    "cdist": (lambda s, x, y: torch.cat([torch.cdist(x, y[:2], p) for p in (0.0, 1.0, 3.0)] + [torch.cdist(x.repeat(9, 1), y[:2])]), (X, Y)),
    "celu": (lambda s, x: torch.celu(x * 20, 2.0), (X,)),
    "copysign.Tensor": (lambda s, x, y: torch.copysign(x, y), (X, Y)),
    "cross": (lambda s, x, y: torch.cross(x, y, dim=0), (X, Y)),
    "cummax": (lambda s, x: torch.cummax(x, 0), (X,)),
    "cummin": (lambda s, x: torch.cummin(x, 1), (X,)),
    "cumprod": (lambda s, x: torch.cumprod(x, 1), (X.repeat(1, 2),)),
    "diagonal": (lambda s, x: torch.diagonal(x[None], 1, -1, -2), (X,)),
    "diff": (lambda s, x: torch.diff(x, 2, 1, x), (X,)),
    "fmax": (lambda s, x: torch.fmax(x, x.flip(1)), (SPOILT,)),
    "fmin": (lambda s, x: torch.fmin(x, x.flip(1)), (SPOILT,)),
    "fmod.Scalar": (lambda s, x: torch.fmod(x, -2), (X,)),
    "fmod.Tensor": (lambda s, x, y: torch.fmod(x, y), (X, Y)),
    "hardsigmoid": (lambda s, x: torch.nn.functional.hardsigmoid(x * 2), (X,)),
    "hypot": (lambda s, x, y: torch.hypot(x * 1e25, y * 1e25), (X, Y)),
    "index_fill.int_Scalar": (lambda s, x: x.index_fill(1, torch.tensor([0, -1]), 0.5), (X,)),
    "index_fill.int_Tensor": (lambda s, x: x.index_fill(0, (x[:2, 1] > 0).long(), x[1, 1]), (X,)),
    "isclose": (lambda s, x, y: torch.isclose(x, y, equal_nan=True), (SPOILT, SPOILT + 1e-7)),
    "isfinite": (lambda s, x: torch.isfinite(x), (INTEGERS,)),
    "kthvalue": (lambda s, x: torch.kthvalue(x, 2, 0), (X + Y / 8,)),
    "linalg_cross": (lambda s, x, y: torch.linalg.cross(x, y[:1], dim=1), (X, Y)),
    "masked_fill.Scalar": (lambda s, x, y: x[0].masked_fill(y > 0, 10), (X, Y)),
    "masked_fill.Tensor": (lambda s, x, y: x[0].masked_fill(y > 0, y[0, 0]), (X, Y)),
    "median": (lambda s, x: torch.median(x), (X,)),
    "median.dim": (lambda s, x: torch.median(x, 1)[0], (X,)),
    "mish": (lambda s, x: torch.nn.functional.mish(x * 20), (X,)),
    "msort": (lambda s, x: torch.msort(x), (X,)),
    "nan_to_num": (lambda s, x: torch.nan_to_num(x, 1.0, 9.0, -2.0), (SPOILT,)),
    "nanmean": (lambda s, x: torch.nanmean(x[:, :2], 0), (SPOILT.clamp(-5, 5),)),
    "prelu": (lambda s, x: torch.nn.functional.prelu(x, torch.tensor([0.5, -0.25, 3.0])), (X,)),
    "prod": (lambda s, x: torch.prod(x), (INTEGERS,)),
    "prod.dim_int": (lambda s, x: torch.prod(x, 1, keepdim=True), (Y,)),
    "quantile": (lambda s, x: torch.quantile(x, torch.tensor([0.0, 0.3, 1.0]), dim=0, keepdim=True), (X,)),
    "quantile.scalar": (lambda s, x: torch.quantile(x, 0.4, interpolation="nearest"), (X,)),
    "round.decimals": (lambda s, x: torch.round(x, decimals=1), (X,)),
    "signbit": (lambda s, x: torch.signbit(x), (X,)),
    "sort.stable": (lambda s, x: torch.sort(torch.cat([x, x, -x]), dim=0, stable=True, descending=True), (X.round(),)),
    "softplus": (lambda s, x: torch.nn.functional.softplus(x * 20, 0.5, 12.0), (X,)),
    "std_mean.correction": (lambda s, x: torch.std_mean(x, 1, correction=1), (X,)),
    "var.correction": (lambda s, x: torch.var(x), (X,)),
    "std.correction": (lambda s, x: torch.ops.aten.std.correction(x, [1]), (X,)),
    "trunc": (lambda s, x: torch.trunc(x), (X,)),
}  # fmt: skip


_CALLS = {"cdist": 4, "__and__.Scalar": 6, "__or__.Scalar": 3, "__xor__.Scalar": 3, "adaptive_avg_pool3d": 3, "masked_scatter": 2}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_computes_the_same(name: str) -> None:
    function, inputs = CASES[name]
    net = Call(function)  # type: ignore[arg-type]
    results = net(*inputs)
    count = len(results) if isinstance(results, tuple) else 1
    count = _CALLS.get(name, count)
    after = check_rewrite(ExpandFunctions(name), net, *inputs, fires=count)
    expected = results if isinstance(results, tuple) else (results,)
    finite = [x.nan_to_num(0, 1, -1) for x in expected]
    assert distance(finite, [x.nan_to_num(0, 1, -1) for x in after.run()]).rel_l2 <= 1e-6


def test_places_of_equal_extremes_are_the_latest() -> None:
    x = torch.tensor([1.0, 3.0, 3.0, 2.0, 3.0])
    after = check_rewrite(ExpandFunctions("cummax"), Call(lambda s, x: x.cummax(0)[1]), x, fires=1)
    assert after.run()[0].tolist() == [0, 1, 2, 2, 4]


def test_bits_of_booleans_and_of_complex_numbers_stay() -> None:
    rule = ExpandFunctions(*FUNCTIONS)
    check_rewrite(rule, Call(lambda s, x: ~(x > 0)), X)
    check_rewrite(rule, Call(lambda s, x: torch.view_as_complex(x).abs()), torch.ones(3, 2))


def test_a_sign_on_integers_makes_floats() -> None:
    net = Call(lambda s, x: torch.copysign(x, -x))
    check_rewrite(ExpandFunctions("copysign.Tensor"), net, INTEGERS, fires=1)


def test_one_axis_and_booleans_stay() -> None:
    rule = ExpandFunctions(*FUNCTIONS)
    check_rewrite(rule, Call(lambda s, x: x.argmax(1)), X)
    check_rewrite(rule, Call(lambda s, x: (x > 0).any(1)), X)


def test_a_single_number_is_filled_with_another() -> None:
    rule = ExpandFunctions("index_fill.int_Tensor")
    place = torch.tensor([0])
    net = Call(lambda s, x: x[0, 0].index_fill(0, place, x[1, 1]))
    check_rewrite(rule, net, X, fires=1)
