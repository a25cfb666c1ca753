"""Recurrent layers and their cells, by their steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from edgevit.graph.aten import op
from edgevit.rewrites.arithmetic.expand_recurrent import ExpandRecurrent
from tests.rewrites.checking import Call, check_rewrite

X, H, C = torch.randn(2, 5, 6), torch.randn(4, 2, 3), torch.randn(4, 2, 3)


class All(nn.Module):
    """Every result of a layer, from a first state where it is given."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor, *first: torch.Tensor) -> tuple[torch.Tensor, ...]:
        states = first if len(first) > 1 else next(iter(first), None)
        rows, last = self.layer(x, states)
        return (rows, *last) if isinstance(last, tuple) else (rows, last)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("batch_first", [True, False])
def test_layers(kind: Any, batch_first: bool) -> None:
    layer = kind(6, 3, 2, batch_first=batch_first, bidirectional=True, bias=batch_first)
    first = (H, C) if kind is nn.LSTM else (H,)
    x = X if batch_first else X.transpose(0, 1)
    after = check_rewrite(ExpandRecurrent(), All(layer), x, *first, fires=1)
    assert not [node for node in after.calls() if op(node).endswith(".input")]


def test_one_way_without_a_first_state() -> None:
    check_rewrite(ExpandRecurrent(), All(nn.RNN(6, 3, nonlinearity="relu")), X, fires=1)


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells(kind: Any) -> None:
    lstm = kind is nn.LSTMCell
    cell = kind(6, 3)
    net = Call(lambda s, x, h, c: s.cell(x, (h, c) if lstm else h))
    net.add_module("cell", cell)
    check_rewrite(ExpandRecurrent(), net, X[:, 0], H[0], C[0], fires=1)


def test_many_steps_stay() -> None:
    check_rewrite(ExpandRecurrent(), All(nn.GRU(6, 3)), torch.randn(65, 1, 6), refuses="65 steps")
