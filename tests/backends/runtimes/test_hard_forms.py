"""Calls that a converter takes and makes another of, or takes for some inputs only: right in every format, on the example and on
inputs that are not like it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.backends.api import Expected, Lowering, backend_for
from edgevit.frontend.capture import capture
from edgevit.graph.parity import distance
from edgevit.rewrites import engine
from edgevit.targets import load_target
from tests.backends.runtimes.through import source_of

TARGETS = {
    "coreml": "iphone", "onnx": "linux-x86", "executorch": "linux-x86", "tflite": "linux-x86", "coreai": "iphone-17",
}  # fmt: skip
X = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
OTHERS = {"black": torch.zeros_like(X), "dark": X * 0.1, "bright": X.flip(3) * 30}
PLACES = torch.randint(0, 20, (64,), generator=torch.Generator().manual_seed(1))
TIED = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(2)) / 6
Form = Callable[[torch.Tensor], torch.Tensor]


def merged(x: torch.Tensor, how: str, own: bool = True) -> torch.Tensor:
    """Tokens into tokens, as token merging writes it: the likest of the others is computed."""
    t = x.flatten(2).mT
    likest = (t[:, 32:] @ t[:, :32].mT).argmax(-1, keepdim=True)
    return t[:, :32].scatter_reduce(1, likest.expand(1, 32, 4), t[:, 32:], how, include_self=own)


def assigned(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[:, :, torch.tensor([5, 1, 2]), torch.tensor([0, 3, 2])] = x[:, :, 0, :3] * 2
    return y


def five(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(1, 2, 2, 8, 8)


def windowed(x: torch.Tensor) -> torch.Tensor:
    image = torch.zeros(1, 4, 10, 10)
    for i in range(3):
        image[:, :, i : i + 8] += F.pad(x, (i, 2 - i)) * (i + 1)
    return image


FORMS: dict[str, Form] = {
    "a tiny epsilon": lambda x: F.relu(x) / (F.relu(x).sum(-1, keepdim=True) + 1e-15),
    "a tiny epsilon below a root": lambda x: x / (x * x + 1e-12).sqrt(),
    "a tiny epsilon below a logarithm": lambda x: (F.relu(x) + 1e-10).log(),
    "a tiny difference": lambda x: F.relu(x) / (F.relu(x).sum(1, keepdim=True) - 1e-9),
    "a factor of nearly one": lambda x: (x * 1.000001 - x) * 1e6,
    "attention with five axes": lambda x: F.scaled_dot_product_attention(five(x), five(x), five(x)),
    "attention with two axes": lambda x: F.scaled_dot_product_attention(x[0, 0], x[0, 1], x[0, 2]),
    "merged by mean": lambda x: merged(x, "mean"),
    "merged by mean, without": lambda x: merged(x, "mean", False),
    "merged by sum": lambda x: merged(x, "sum"),
    "merged by maximum": lambda x: merged(x, "amax"),
    "added at places": lambda x: torch.zeros(1, 4, 20).index_add(2, PLACES, x.flatten(2)),
    "replaced at places": lambda x: assigned(x),
    "sums of windows": windowed,
    "one number at a place": lambda x: torch.zeros(1, 4, 8, 8).scatter(1, x.argmax(1, True), 1.0),
    "parts of several types": lambda x: torch.cat([x, x.argmax(1, True), x > 0], 1),
    "small exponentials": lambda x: torch.expm1(x * 1e-5),
    "small logarithms": lambda x: torch.log1p(x.abs() * 1e-5),
    "between two images": lambda x: torch.clamp(x, x.flip(1) - 0.5, x.flip(2) + 0.5),
    "none of numbers": lambda x: torch.logical_not((x * 2).int()) * x,
    "both of numbers": lambda x: torch.logical_and((x * 2).int(), F.relu(x)) * x,
    "nearest by a scale": lambda x: F.interpolate(x, scale_factor=1.3),
    "a softplus with a threshold": lambda x: F.softplus(x, beta=3, threshold=4),
    "a weight used twice": lambda x: F.conv_transpose2d(F.conv2d(x, TIED).relu(), TIED),
    "windows of six axes": lambda x: x.view(1, 4, 2, 4, 2, 4).softmax(-1).sum((2, 4)),
    "turned in six axes": lambda x: x.view(2, 2, 2, 4, 2, 4).permute(5, 3, 1, 4, 0, 2).flatten(1),
    "a mean of what is turned": lambda x: (x.permute(0, 2, 3, 1) * 2).mean() * x,
    "a maximum of what is turned": lambda x: x.permute(0, 3, 2, 1).sigmoid().max() + x.mT.amin(),
    "unfold": lambda x: F.unfold(x, 3, padding=1, stride=2),
    "fold": lambda x: F.fold(F.unfold(x, 3, padding=1, stride=2).relu(), 8, 3, 1, 1, 2),
}


class Forms(nn.Module):
    """Each form's value is an output, so that one conversion serves them all."""

    def __init__(self, forms: dict[str, Form]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.forms = forms
        self.stem = nn.Conv2d(4, 4, 3, padding=1, bias=False)  # black stays black

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        image = self.stem(x)
        return [form(image) for form in self.forms.values()]


@pytest.mark.slow
@pytest.mark.parametrize("format", TARGETS)
def test_all_of_them_on_other_inputs(format: str, tmp_path: Path) -> None:
    target = load_target(TARGETS[format])
    backend = backend_for(format, target)
    source = source_of(Forms(FORMS), X)
    program, _ = engine.run(capture(source), backend.rules)
    artifact = backend.lower(Lowering(program, source, target, "fp32", tmp_path, lambda _: None))
    for name, given in {"example": X, **OTHERS}.items():
        with torch.no_grad():
            expected = tuple(source.module(given))
        (parity,) = backend.check(artifact, Expected((given,), expected, program))
        apart = [name for name, a, b in zip(FORMS, expected, program.run((given,)), strict=True) if not distance([a], [b]).rel_l2 < 1e-4]  # fmt: skip
        assert parity.passed, f"{name}: {parity}; apart before the format: {apart}"
