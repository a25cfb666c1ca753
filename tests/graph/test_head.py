"""Where a net is split: behind its last product on every path, at as few values as lie there."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import nn

from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.aten import kind
from edgevit.graph.head import bytes_moved, split_at, split_head
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


def test_a_part_of_a_split_crosses_and_never_the_split() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            values, gate = self.stem(x).chunk(2, 1)
            return self.last(values).sigmoid(), gate.sigmoid()

    program = captured(Gated())
    split = split_head(program)
    assert [kind(node) for node in split.head.calls()] == ["sigmoid", "sigmoid"]
    assert [tuple(x.shape) for x in split.head.inputs] == [(1, 4, 14, 14)] * 2
    for ours, theirs in zip(split.head.run(split.body.run((X,))), program.run((X,)), strict=True):
        assert torch.equal(ours, theirs)


def test_a_classifier_has_no_head() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(784, 2))
    assert not list(split_head(captured(net)).head.calls())


class Rows(nn.Module):
    """Scores that a few calls make fewer and then more, beside rows that they choose."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self.stem(x).flatten(2)
        best = (rows.exp() * 2).amax(1)
        wide = best[:, None].expand(-1, 30, -1).sigmoid()
        near, far = (rows - 1).chunk(2, 1)
        return wide.cumsum(2), torch.cat((near + 1, far * 2), 1)


def test_a_head_begins_where_the_host_moves_the_fewest_bytes() -> None:
    program = captured(Rows())
    tail = [node.name for node in split_head(program).head.calls()]
    for leaving in ({"cumsum"}, {"add"}, {"sigmoid", "mul_1"}, {"exp"}):
        placed = split_head(program, leaving)
        names = {node.name for node in placed.head.calls()}
        assert leaving <= names and placed.is_placed
        heads = [{*some} for n in range(1, len(tail) + 1) for some in combinations(tail, n)]
        costs = [cost for some in heads if leaving <= some if (cost := cost_of(program, some))]
        assert bytes_moved(placed) == min(costs), leaving
        again = split_at(program, placed.body.output_names)
        assert [*again.head.constants] == [*placed.head.constants]
        assert {node.name for node in again.head.calls()} == names
        x = X.flip(-1)
        run = placed.head.run(placed.body.run((x,)))
        assert all(map(torch.equal, run, program.run((x,))))


def cost_of(program: Program, head: set[str]) -> int | None:
    """Count the bytes that a head moves, or nothing where it is none: what reads of it is not in it, or no tensor crosses."""
    nodes = {node.name: node for node in program.calls()}
    calls = [nodes[name] for name in head]
    users = {user for node in calls for user in node.users if user.op != "output"}
    reads = {read for node in calls for read in node.all_input_nodes if read.op != "get_attr"}
    crossing = {node for node in {*reads, *program.outputs()} if node.name not in head}
    values = [node.meta["val"] for node in crossing]
    if not users <= {*calls} or not all(isinstance(value, torch.Tensor) for value in values):
        return None
    return sum(map(size, crossing)) + sum(
        size(node) + sum(size(read) for read in node.all_input_nodes if read.op != "get_attr")
        for node in calls
    )


def size(node: torch.fx.Node) -> int:
    value = node.meta["val"]
    tensors = [value] if isinstance(value, torch.Tensor) else value
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
