"""Running a program."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource


class Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls[func.__name__] += 1
        return func(*args, **(kwargs or {}))


class OfConstants(nn.Module):
    """Values of constants that are read by the input, by each other, and returned."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 6))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        first, second = self.weight.exp().split(3)
        return x * first + second.sin(), x + 1, second.cos()


def test_several_runs_compute_what_no_input_changes_once() -> None:
    inputs = [(torch.randn(2, 3),) for _ in range(4)]
    net = OfConstants().eval().requires_grad_(False)
    program = capture(ModelSource("t", "net", net, inputs[0], ("x",), "a test", "as built"))
    with Counting() as counting:
        together = program.run_all(inputs)
    assert counting.calls["exp.default"] == counting.calls["cos.default"] == 1
    assert counting.calls["mul.Tensor"] == 1  # of all inputs together
    for one, outputs in zip(inputs, together, strict=True):
        assert all(map(torch.equal, outputs, net(*one)))
        assert all(map(torch.equal, outputs, program.run(one)))
