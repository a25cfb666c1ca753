"""Capture gives a functional program, whatever the model writes into and whatever it wraps its calls in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from edgevit.errors import CaptureError
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.cost import stats
from edgevit.graph.program import Program


class Call(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("table", torch.randn(4))

    def forward(self, x: torch.Tensor) -> object:
        return self.function(x)


X = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))


def captured(function: Callable[[torch.Tensor], object]) -> Program:
    return capture(
        ModelSource("t", "t", Call(function).eval(), (X.clone(),), ("x",), "a test", "as built")
    )


def plain(x: torch.Tensor) -> torch.Tensor:
    y = x + 1
    y.relu_()
    y += 2
    return y * y


def through_a_view(x: torch.Tensor) -> torch.Tensor:
    y = x + 1
    y[:, :2].mul_(3)
    return y


def base_read_after_view(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    flat = y.view(2, 24)
    y.add_(1)
    return flat + y.view(2, 24)


def slice_assigned(x: torch.Tensor) -> torch.Tensor:
    y = torch.zeros_like(x)
    y[:, ::2] = x[:, ::2]
    return y + x


def without_gradients(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    with torch.no_grad():
        z = torch.sin(y) + 1
    return z * y


def without_autocast(x: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", enabled=False):
        a, b = x.float().chunk(2, 1)
        y = a @ b.transpose(1, 2)
    return y + 1


FUNCTIONS = [
    plain,
    through_a_view,
    base_read_after_view,
    slice_assigned,
    without_gradients,
    without_autocast,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_the_program_is_functional_and_computes_the_same(
    function: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    program = captured(function)
    assert torch.equal(program.run()[0], function(X.clone()))
    for node in program.calls():
        schema = getattr(node.target, "_schema", None)
        assert schema is None or not schema.is_mutable, node


def test_a_linear_whose_weight_is_a_vector_is_a_product() -> None:
    def weighed(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, torch.arange(6.0), torch.tensor(0.5))

    program = captured(weighed)
    assert torch.equal(program.run()[0], weighed(X))
    assert stats(program).macs == X.numel()


def test_the_users_input_is_left_alone() -> None:
    program = captured(plain)
    before = program.inputs[0].clone()
    program.run()
    assert torch.equal(program.inputs[0], before)


def test_autocast_that_is_on_is_refused_with_its_line() -> None:
    def narrowed(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return x @ x.transpose(1, 2)

    with pytest.raises(CaptureError, match="autocast on") as caught:
        captured(narrowed)
    assert "test_capture.py" in caught.value.where


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x: x + 1, ("output",)),
        (lambda x: (x + 1, None, x + 2), ("output_0", "output_2")),
        (
            lambda x: {"logits": x + 1, "features": [x * 2, x]},
            ("logits", "features_0", "features_1"),
        ),
    ],
)
def test_outputs_are_named(
    function: Callable[[torch.Tensor], object], names: tuple[str, ...]
) -> None:
    program = captured(function)
    assert program.output_names == names
    assert len(program.run()) == len(names)


def test_a_model_without_a_tensor_output_is_refused() -> None:
    with pytest.raises(CaptureError, match="returns no tensor"):
        captured(lambda x: 3)


def test_every_call_knows_where_it_came_from() -> None:
    for node in captured(plain).calls():
        assert "test_capture.py:" in node.meta["origin"].source
