"""Constants of a trace have the forms that torch gives them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensor

from edgevit.graph.constant_forms import constants_by_form


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        whole = torch.arange(12.0).reshape(3, 4)
        self.register_buffer("whole", whole)
        self.register_buffer("turned", whole.t())
        self.register_buffer("counts", torch.ones(4, dtype=torch.int64)[None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.whole @ self.turned + self.counts[:, :3]  # type: ignore[operator, index]


def forms(exported: Any) -> list[tuple[Any, ...]]:
    values = [node.meta["val"] for node in exported.graph.nodes if node.op != "output"]
    assert all(type(value) is FakeTensor for value in values)
    return [(v.dtype, tuple(v.shape), v.stride(), v.device, v.requires_grad) for v in values]


def test_a_decomposition_gives_the_same_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = torch.export.export(Net(), (torch.rand(2, 3),))
    expected = exported.run_decompositions({})
    with constants_by_form():
        monkeypatch.setattr(torch._subclasses.FakeTensorMode, "from_tensor", None)
        actual = exported.run_decompositions({})
    monkeypatch.undo()
    assert forms(actual) == forms(expected)
    assert torch.equal(actual.module()(torch.ones(2, 3)), expected.module()(torch.ones(2, 3)))
