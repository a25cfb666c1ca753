"""Elementwise operations, activations, reductions and normalisations against torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.backends.coreml.check_packages import Case, Var, assert_cases, builder

mb = builder()


def unary(name: str, reference: Callable[[Tensor], Tensor], **options: object) -> Case:
    return (lambda x, y: getattr(mb, name)(x=x, **options), lambda x, y: reference(x))


def binary(name: str, reference: Callable[[Tensor, Tensor], Tensor]) -> Case:
    return (lambda x, y: getattr(mb, name)(x=x, y=y), lambda x, y: reference(x, y))


def as_float(make: Callable[..., Var], reference: Callable[..., Tensor]) -> Case:
    """Core ML has no bool outputs."""
    return (
        lambda x, y: mb.cast(x=make(x=x, y=y), dtype="fp32"),
        lambda x, y: reference(x, y).float(),
    )


@pytest.fixture
def inputs() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {"x": torch.rand(1, 4, 6, 5) * 1.6 - 0.8, "y": torch.rand(4, 1, 5) + 0.3}


def test_unary(tmp_path: Path, inputs: dict[str, Tensor]) -> None:
    names = "abs acos asin atan atanh ceil cos cosh erf exp exp2 floor round sign sin sinh square tan tanh"
    cases = {name: unary(name, getattr(torch, name)) for name in names.split()}
    cases |= {
        "clip": unary("clip", lambda x: x.clamp(-0.2, 0.5), alpha=-0.2, beta=0.5),
        "inverse": unary("inverse", lambda x: 1 / (x + 2.0), epsilon=2.0),
        "inverse default": unary("inverse", lambda x: 1 / (x + 1e-4)),
        "log": unary("log", lambda x: torch.log(x + 1.5), epsilon=1.5),
        "rsqrt": unary("rsqrt", lambda x: torch.rsqrt(x + 1.5), epsilon=1.5),
        "threshold": unary("threshold", lambda x: x.clamp(min=0.1), alpha=0.1),
        "sqrt": (lambda x, y: mb.sqrt(x=y), lambda x, y: y.sqrt()),
        "cast": unary("cast", lambda x: x.to(torch.int32), dtype="int32"),
        "logical_not": as_float(
            lambda x, y: mb.logical_not(x=mb.greater(x=x, y=y)), lambda x, y: ~(x > y)
        ),
    }
    assert_cases(tmp_path, cases, inputs)


def test_binary(tmp_path: Path, inputs: dict[str, Tensor]) -> None:
    cases = {
        "add": binary("add", torch.add),
        "sub": binary("sub", torch.sub),
        "mul": binary("mul", torch.mul),
        "real_div": binary("real_div", torch.div),
        "floor_div": binary("floor_div", lambda x, y: torch.floor(x / y)),
        "mod": binary("mod", lambda x, y: x - y * torch.floor(x / y)),
        "maximum": binary("maximum", torch.maximum),
        "minimum": binary("minimum", torch.minimum),
        "pow": (lambda x, y: mb.pow(x=y, y=x), lambda x, y: y**x),
        "select": (
            lambda x, y: mb.select(cond=mb.less(x=x, y=y), a=x, b=mb.mul(x=x, y=2.0)),
            lambda x, y: torch.where(x < y, x, 2 * x),
        ),
    }
    comparisons = {
        "equal": torch.eq,
        "not_equal": torch.ne,
        "greater": torch.gt,
        "greater_equal": torch.ge,
        "less": torch.lt,
        "less_equal": torch.le,
    }
    for name, function in comparisons.items():
        cases[name] = as_float(lambda x, y, n=name: getattr(mb, n)(x=x, y=y), function)
    for name in ("logical_and", "logical_or", "logical_xor"):
        cases[name] = as_float(
            lambda x, y, n=name: getattr(mb, n)(x=mb.greater(x=x, y=0.1), y=mb.less(x=y, y=0.8)),
            lambda x, y, n=name: getattr(torch, n)(x > 0.1, y < 0.8),
        )
    assert_cases(tmp_path, cases, inputs)


def test_activations(tmp_path: Path, inputs: dict[str, Tensor]) -> None:
    alpha, beta = torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([1.0, 2.0, 0.5, 3.0])
    column = (4, 1, 1)
    cases = {
        "relu": unary("relu", F.relu),
        "relu6": (lambda x, y: mb.relu6(x=mb.mul(x=x, y=20.0)), lambda x, y: F.relu6(20 * x)),
        "sigmoid": unary("sigmoid", torch.sigmoid),
        "silu": unary("silu", F.silu),
        "softplus": unary("softplus", F.softplus),
        "softsign": unary("softsign", F.softsign),
        "elu": unary("elu", lambda x: F.elu(x, 0.7), alpha=0.7),
        "leaky_relu": unary("leaky_relu", lambda x: F.leaky_relu(x, 0.2), alpha=0.2),
        "clamped_relu": unary(
            "clamped_relu",
            lambda x: torch.where(x >= 0, x, 0.3 * x).clamp(max=0.4),
            alpha=0.3,
            beta=0.4,
        ),
        "linear_activation": unary("linear_activation", lambda x: 2 * x + 0.5, alpha=2.0, beta=0.5),
        "scaled_tanh": unary("scaled_tanh", lambda x: 2 * torch.tanh(0.5 * x), alpha=2.0, beta=0.5),
        "sigmoid_hard": unary("sigmoid_hard", F.hardsigmoid, alpha=1 / 6, beta=0.5),
        "thresholded_relu": unary(
            "thresholded_relu", lambda x: torch.where(x >= 0.2, x, 0), alpha=0.2
        ),
        "prelu": unary("prelu", lambda x: F.prelu(x, alpha), alpha=alpha.numpy()),
        "softplus_parametric": unary(
            "softplus_parametric",
            lambda x: alpha.view(column) * F.softplus(beta.view(column) * x),
            alpha=alpha.numpy(),
            beta=beta.numpy(),
        ),
        "softmax last": unary("softmax", lambda x: F.softmax(x, -1)),
        "softmax 1": unary("softmax", lambda x: F.softmax(x, 1), axis=1),
        "gelu": unary("gelu", F.gelu),
        "gelu tanh": unary(
            "gelu", lambda x: F.gelu(x, approximate="tanh"), mode="TANH_APPROXIMATION"
        ),
        "gelu sigmoid": unary(
            "gelu", lambda x: x * torch.sigmoid(1.702 * x), mode="SIGMOID_APPROXIMATION"
        ),
    }
    assert_cases(tmp_path, cases, inputs)


def test_reductions(tmp_path: Path, inputs: dict[str, Tensor]) -> None:
    axes, keep = [1, -1], {"axes": [1, -1], "keep_dims": True}
    cases = {
        "sum": unary("reduce_sum", lambda x: x.sum(axes), axes=axes),
        "sum all": unary("reduce_sum", lambda x: x.sum((0, 1, 2, 3), keepdim=True), keep_dims=True),
        "mean": unary("reduce_mean", lambda x: x.mean(axes, keepdim=True), **keep),
        "max": unary("reduce_max", lambda x: x.amax(axes), axes=axes),
        "min": unary("reduce_min", lambda x: x.amin(axes, keepdim=True), **keep),
        "prod": unary("reduce_prod", lambda x: x.prod(-1).prod(1), axes=axes),
        "l1": unary("reduce_l1_norm", lambda x: x.abs().sum(axes), axes=axes),
        "l2": unary("reduce_l2_norm", lambda x: x.norm(dim=axes, keepdim=True), **keep),
        "square": unary("reduce_sum_square", lambda x: (x * x).sum(axes), axes=axes),
        "lse": unary("reduce_log_sum_exp", lambda x: x.logsumexp(axes), axes=axes),
        "log sum": (lambda x, y: mb.reduce_log_sum(x=y, axes=[0]), lambda x, y: y.sum(0).log()),
        "argmax": unary("reduce_argmax", lambda x: x.argmax(1), axis=1),
        "argmin": unary("reduce_argmin", lambda x: x.argmin(-1, keepdim=True), keep_dims=True),
    }
    assert_cases(tmp_path, cases, inputs)


def test_normalisations(tmp_path: Path, inputs: dict[str, Tensor]) -> None:
    mean, variance = torch.tensor([0.1, -0.2, 0.3, 0.0]), torch.tensor([1.0, 0.5, 2.0, 0.01])
    gamma, beta = torch.tensor([1.0, 2.0, -1.0, 0.5]), torch.tensor([0.0, 1.0, 2.0, 3.0])
    moments = {"mean": mean.numpy(), "variance": variance.numpy()}
    affine = {"gamma": gamma.numpy(), "beta": beta.numpy()}
    last = torch.arange(30.0).reshape(6, 5)
    cases = {
        "batch": unary(
            "batch_norm",
            lambda x: F.batch_norm(x, mean, variance, gamma, beta, eps=1e-3),
            **moments,
            **affine,
            epsilon=1e-3,
        ),
        "batch plain": unary("batch_norm", lambda x: F.batch_norm(x, mean, variance), **moments),
        "instance": unary(
            "instance_norm",
            lambda x: F.instance_norm(x, weight=gamma, bias=beta, eps=1e-2),
            **affine,
            epsilon=1e-2,
        ),
        "layer last": unary(
            "layer_norm",
            lambda x: F.layer_norm(x, (6, 5), last, -last, 1e-3),
            axes=[-2, -1],
            gamma=last.numpy(),
            beta=-last.numpy(),
            epsilon=1e-3,
        ),
        "layer channels": unary(
            "layer_norm",
            lambda x: F.layer_norm(x.movedim(1, -1), (4,), gamma, beta).movedim(-1, 1),
            axes=[1],
            **affine,
        ),
        "l2": unary(
            "l2_norm",
            lambda x: x / (x.square().sum((1, 2, 3), keepdim=True) + 0.1).sqrt(),
            epsilon=0.1,
        ),
        "lrn": unary(
            "local_response_norm",
            lambda x: F.local_response_norm(x, 3, 0.5, 0.6, 2.0),
            size=3,
            alpha=0.5,
            beta=0.6,
            k=2.0,
        ),
    }
    assert_cases(tmp_path, cases, inputs)
