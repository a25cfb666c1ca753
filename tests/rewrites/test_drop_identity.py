"""drop-identity drops what does nothing, and only that."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from edgevit.rewrites.arithmetic.drop_identity import DropIdentity
from tests.rewrites.checking import check_rewrite

RULE = DropIdentity()
X = torch.randn(2, 4, 6, 6)


class Call(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.function(torch.sin(x)))


NOTHING = {
    "dropout": nn.Dropout(0.5).eval(),
    "alias": torch.ops.aten.alias,
    "clone": torch.clone,
    "copy": lambda x: torch.ops.aten.copy(torch.cos(x), x),
    "to": lambda x: x.to(torch.float32),
    "expand": lambda x: x.expand(2, 4, 6, 6),
    "reshape": lambda x: x.reshape(2, 4, 6, 6),
    "slice": lambda x: x[:, 0:4],
    "times one": lambda x: x * 1.0,
    "plus zero": lambda x: x + 0,
    "permute": lambda x: x.permute(0, 1, 2, 3),
    "pad": lambda x: nn.functional.pad(x, (0, 0)),
    "pool": nn.MaxPool2d(1),
    "cat of one": lambda x: torch.cat([x], 1),
    "cat with an empty vector": lambda x: torch.cat([torch.zeros(0), x], -2),
    "cat with an empty slice": lambda x: torch.cat([x[:, :0], x, x], 1),
}
SOMETHING = {
    "flip": lambda x: x.flip(1),
    "other slice": lambda x: x[:, 1:],
    "strided slice": lambda x: x[:, ::2],
    "times two": lambda x: x * 2.0,
    "plus itself": lambda x: x + x,
    "transpose of equal sizes": lambda x: x.transpose(2, 3),
    "reshape": lambda x: x.reshape(4, 2, 6, 6),
    "roll": lambda x: x.roll(1, 1),
    "one minus": lambda x: 1 - x,
    "cat of two": lambda x: torch.cat([x, x], 1),
}


@pytest.mark.parametrize("name", NOTHING)
def test_drops(name: str) -> None:
    check_rewrite(RULE, Call(NOTHING[name]), X, fires=1)


@pytest.mark.parametrize("name", SOMETHING)
def test_keeps(name: str) -> None:
    check_rewrite(RULE, Call(SOMETHING[name]), X, fires=0)


def test_an_output_may_become_an_input() -> None:
    class Through(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x.clone(), torch.relu(x)

    check_rewrite(RULE, Through(), X, fires=1)
