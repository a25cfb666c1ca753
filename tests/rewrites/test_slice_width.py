"""Narrower residual streams: what a rotation gives up for nothing, and streams that keep their width."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevit.errors import UsageError
from edgevit.graph.aten import kind
from edgevit.graph.calls import weighted
from edgevit.graph.program import Program, shape
from edgevit.rewrites.lossy.parser import parse_lossy
from edgevit.rewrites.lossy.run import StepReport, apply_lossy
from tests.rewrites.checking import program_for

WIDTH, INSIDE = 16, 11


class Stream(nn.Module):
    """A vision transformer whose stream stays in a few directions of its channels, rotated, with means of its own."""

    def __init__(self, end: str = "token", depth: int = 2) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.end = end
        self.basis = torch.linalg.qr(torch.randn(WIDTH, WIDTH))[0][:, :INSIDE]
        self.patch = nn.Conv2d(3, WIDTH, 4, 4)
        self.token = nn.Parameter(self._within(torch.randn(1, 1, WIDTH)))
        self.place = nn.Parameter(self._within(torch.randn(1, 5, WIDTH)))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH, eps=1e-2) for _ in range(depth + 1))
        for norm in self.norms:
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
        self.wide = nn.ModuleList(nn.Linear(WIDTH, 24) for _ in range(depth))
        self.narrow = nn.ModuleList(nn.Linear(24, WIDTH, bias=k > 0) for k in range(depth))
        self.head = nn.Linear(WIDTH, 5)
        with torch.no_grad():
            for layer in (self.patch, *self.narrow):
                flat = layer.weight.flatten(1)
                layer.weight.copy_(self._within(flat.T).T.reshape(layer.weight.shape))
                if layer.bias is not None:
                    layer.bias.copy_(self._within(layer.bias))

    def _within(self, rows: torch.Tensor) -> torch.Tensor:
        return rows @ self.basis @ self.basis.T + 3 * torch.randn(*rows.shape[:-1], 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        for norm, wide, narrow in zip(self.norms, self.wide, self.narrow, strict=False):
            x = x + narrow(torch.relu(wide(norm(x))))
        if self.end == "token":
            return self.head(self.norms[-1](x[:, 0]))
        if self.end == "mean":
            return self.head(self.norms[-1](x)[:, 1:].mean(1))
        return self.head(self.norms[-1](x)), x.sum(2)  # type: ignore[return-value]


def sliced(net: nn.Module, word: str = "slice-width=0.25") -> tuple[Program, StepReport]:
    runs = [torch.randn(2, 3, 8, 8) for _ in range(12)]
    result = apply_lossy(
        program_for(net.eval(), runs[0]),
        parse_lossy(word),
        samples=lambda: [(run,) for run in runs],
    )
    return result.program, result.steps[0]


@pytest.mark.parametrize("end", ["token", "mean"])
def test_directions_that_the_stream_never_takes_go_for_nothing(end: str) -> None:
    program, report = sliced(Stream(end))
    assert len(report.places) == 3 and report.moved.rel_l2 < 1e-4
    norms = [shape(node)[-1] for node in program.calls() if kind(node) == "layer_norm"]
    assert norms == [12, 12, 12]
    views = [view for node in program.calls() if (view := weighted(node))]
    weights = [tuple(program.constants[str(view.weight.target)].shape[:2]) for view in views]
    assert weights == [(12, 3), (24, 12), (12, 24), (24, 12), (12, 24), (5, 12)]


def test_fewer_directions_than_it_takes_cost_little_by_little() -> None:
    moved = [
        sliced(Stream(), f"slice-width={share}")[1].moved.rel_l2 for share in (0.25, 0.5, 0.75)
    ]
    assert moved[0] < 1e-4 < moved[1] < moved[2] < 1


def test_a_stream_that_something_else_reads_keeps_its_width() -> None:
    program, report = sliced(Stream("both"))
    assert not report.places and {refusal.why for refusal in report.refused} == {"`sum` reads the mean too"}  # fmt: skip
    assert shape(next(node for node in program.calls() if kind(node) == "layer_norm"))[-1] == WIDTH


@pytest.mark.parametrize("word", ["slice-width", "slice-width=1", "slice-width=8"])
def test_other_values_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match=r"slice-width=0\.25"):
        parse_lossy(word)


def test_a_model_without_layer_norms_says_so() -> None:
    _, report = sliced(nn.Conv2d(3, 4, 3))
    assert [refusal.why for refusal in report.refused] == ["no layer_norm is in its graph"]
