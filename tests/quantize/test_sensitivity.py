"""Gradients of several inputs at once are those of each."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevit.graph import batch
from edgevit.graph.aten import argument
from edgevit.graph.program import Program
from edgevit.quantize import sensitivity as module
from edgevit.quantize.encoding import asymmetric
from edgevit.quantize.scheme import WeightForm
from edgevit.quantize.sensitivity import gradients, sensitivity
from edgevit.quantize.weights import rounded_weight
from tests.rewrites.checking import program_for


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)
        self.norm = nn.GroupNorm(1, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.first(x)).relu()
        return (self.second(y) + y[:, :4]).mean((2, 3))


@pytest.fixture(scope="module")
def program() -> Program:
    return program_for(Net(), torch.randn(1, 3, 6, 6))


def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NUMBERS", 0)
    monkeypatch.setattr(batch, "run", None)


def test_gradients_of_a_batch_are_those_of_each(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [(torch.randn(1, 3, 6, 6),) for _ in range(3)]
    (relu,) = (node for node in program.calls() if "relu" in node.name)
    reader = next(node for node in program.calls() if node.name == "conv2d_1")
    names, copied = dict.fromkeys((program.placeholders()[0].name, relu.name)), {relu: [reader]}
    (together,) = gradients(program, names, runs, copied)
    one_at_a_time(monkeypatch)
    each = list(gradients(program, names, runs, copied))
    assert len(each) == len(runs)
    for name in names:
        for place in (0, 1):  # the numbers, and their gradients
            expected = torch.cat([one[name][place] for one in each])
            torch.testing.assert_close(together[name][place], expected)


def test_noise_of_values_and_weights_is_that_of_each(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [(torch.randn(1, 3, 6, 6),) for _ in range(3)]
    convolutions = [node for node in program.calls() if node.name.startswith("conv2d")]
    grids = {node: asymmetric(-2.0, 2.0) for node in convolutions}
    weights = {
        node: rounded_weight(node, program.constants[str(argument(node, "weight").target)], None, WeightForm(), None, 0.0)
        for node in convolutions
    }  # fmt: skip
    together = sensitivity(program, grids, weights, runs)
    one_at_a_time(monkeypatch)
    each = sensitivity(program, grids, weights, runs)
    assert each.values == pytest.approx(together.values, rel=1e-3)
    assert each.weights == pytest.approx(together.weights, rel=1e-3)
    assert min([*each.values.values(), *each.weights.values()]) > 0
