"""Where a net is split: behind its last product on every path, at as few values as lie there."""

from __future__ import annotations

import torch
from torch import nn

from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.aten import kind
from edgevit.graph.head import split_head
from edgevit.graph.program import Program
from tests.detector import Detector

X = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def captured(module: nn.Module) -> Program:
    return capture(resolve(module, (X,)))


def test_a_detector_ends_before_its_boxes_are_decoded() -> None:
    program = captured(Detector())
    split = split_head(program)
    kinds = {kind(node) for node in split.head.calls()}
    assert {"topk", "gather", "sigmoid"} <= kinds
    assert not kinds & {"conv2d", "relu", "silu"}
    assert [tuple(x.shape) for x in split.head.inputs] == [(1, 8, 8, 8), (1, 4, 80), (1, 3, 80)]
    assert split.body.output_names == split.head.input_names
    assert split.head.output_names == program.output_names
    x = X.flip(-1)
    for ours, theirs in zip(split.head.run(split.body.run((x,))), program.run((x,)), strict=True):
        assert torch.equal(ours, theirs)
    assert split.body.constants.keys() | split.head.constants.keys() <= program.constants.keys()
    assert split.body.constants.keys() != program.constants.keys()


def test_what_products_follow_stays() -> None:
    class Queries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.last = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = self.stem(x).flatten(2).mT
            places = tokens.amax(-1).topk(9).indices
            rows = torch.gather(tokens, 1, places[..., None].expand(-1, -1, 8))
            return self.last(rows).sigmoid()

    split = split_head(captured(Queries()))
    assert [kind(node) for node in split.head.calls()] == ["sigmoid"]
    assert "topk" in {kind(node) for node in split.body.calls()}


def test_a_classifier_has_no_head() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(784, 2))
    assert not list(split_head(captured(net)).head.calls())
