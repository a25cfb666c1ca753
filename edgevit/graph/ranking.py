"""Comparison of rows that a net puts in order of a score, as boxes by their confidence.

    topk(score, 300) -> rows: two scores that differ in their last digit change places in another order of sums

Rows may change places only where the model's own scores are as good as equal. At the cut a row of an equal score may
stand for another, which no output tells; such rows are left out and counted. Everything else is held to the same limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, op
from edgevit.graph.other_inputs import Other
from edgevit.graph.parity import Distance, Limit, Ranking, distance
from edgevit.graph.program import Inputs, Outputs, Program, copy_graph, shape

_SORTS = ("topk", "sort", "argsort", "sort.stable", "argsort.stable")
_EQUAL = 1e-2  # of the largest score: the most by which scores count as equal, at float16's limit
_MOST_LEFT_OUT = 0.5
_MOVES = 3.0  # scores that move by one each pass over a gap of two; other roundings move others
_OTHER_ROW = 4.0  # times the usual distance of a row from the expected one
_MOST_ROWS = 2000


def rankings_of(program: Program, inputs: Inputs) -> tuple[Ranking, ...]:
    """Return the scores that order outputs of the program, on these inputs."""
    if not _ranked_outputs(program):
        return ()
    return run_ranked(program, [inputs])[1][0]


def run_ranked(
    program: Program, runs: Sequence[Inputs]
) -> tuple[list[Outputs], list[tuple[Ranking, ...]]]:
    """Return the outputs of all runs, and the scores that order them."""
    rows = _ranked_outputs(program)
    if not rows:
        return list(program.run_all(runs)), [() for _ in runs]
    scores = [node.all_input_nodes[0] for node in rows]
    extents = [shape(program.outputs()[places[0]]) for places in rows.values()]
    outputs: list[Outputs] = []
    rankings: list[tuple[Ranking, ...]] = []
    for results in _with_outputs(program, scores).run_all(runs):
        own = results[: -len(rows)]
        ordering = zip(rows, results[len(own) :], extents, rows.values(), strict=True)
        outputs.append(own)
        rankings.append(tuple(Ranking(_sorted(n, x, e), tuple(k)) for n, x, e, k in ordering))
    return outputs, rankings


def with_moves(rankings: Sequence[Ranking], others: Sequence[Ranking]) -> tuple[Ranking, ...]:
    """Count scores as equal that may change places where each moves as far as in `others`."""
    pairs = zip(rankings, others, strict=True)
    return tuple(
        replace(one, equal=_MOVES * float((one.scores - other.scores).nan_to_num().abs().max()))
        for one, other in pairs
    )


def in_order(
    expected: Outputs, actual: Outputs, rankings: Sequence[Ranking], usual: Outputs | None = None
) -> Outputs:
    """Put rows of `actual` in the expected order, within runs of equal scores.

    A row at the cut that is none of the expected ones becomes the expected row: it is several times
    as far from it as rows usually are, in outputs `usual` that are in order, or in these.
    """
    ordered = list(actual)
    for ranking in rankings:
        ours, theirs = ([x[k] for k in ranking.outputs] for x in (expected, ordered))
        if not ranking.equal or [x.shape for x in ours] != [x.shape for x in theirs]:
            continue
        apart = None
        if usual is not None:
            apart = _of_another(
                _usual_distances(ours, [usual[k] for k in ranking.outputs], ranking)
            )
        match = _match(ours, theirs, ranking, ranking.equal, apart)
        if match is None:
            continue
        for place, k in enumerate(ranking.outputs):
            ordered[k] = match.in_place(ours[place], theirs[place])
    return tuple(ordered)


def compared(
    expected: Sequence[torch.Tensor],
    actual: Sequence[torch.Tensor],
    rankings: Sequence[Ranking],
    limit: Limit,
) -> tuple[Distance, tuple[str, ...]]:
    """Return the distance, with rows of equal scores matched where that is what holds the limit."""
    plain = distance(expected, actual)
    same_shapes = all(a.shape == b.shape for a, b in zip(expected, actual, strict=True))
    if limit.holds(plain) or not rankings or not same_shapes:
        return plain, ()
    ours, theirs = list(expected), list(actual)
    notes: list[str] = []
    for ranking in rankings:
        equal = min(limit.max_rel_l2, _EQUAL) * float(ranking.scores.abs().max())
        rows, others = ([x[k] for k in ranking.outputs] for x in (expected, actual))
        match = _match(rows, others, ranking, equal, 10 * limit.max_rel_l2)
        if match is None:
            return plain, ()
        for k in ranking.outputs:
            ours[k], theirs[k] = match.compared(expected[k], actual[k])
        notes.append(match.said())
    matched = distance(ours, theirs)
    return (matched, tuple(filter(None, notes))) if limit.holds(matched) else (plain, ())


@dataclass(frozen=True)
class _Match:
    """Which row of the actual ones stands in each place, and which places are not compared."""

    places: torch.Tensor
    out: torch.Tensor

    def compared(
        self, expected: torch.Tensor, actual: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self._rows(expected)[~self.out], self._moved(actual)[~self.out]

    def in_place(self, expected: torch.Tensor, actual: torch.Tensor) -> torch.Tensor:
        rows = torch.where(self.out[..., None], self._rows(expected), self._moved(actual))
        return rows.reshape(actual.shape)

    def said(self) -> str:
        rows, out = self.out.numel(), int(self.out.sum())
        own = torch.arange(self.out.shape[1])
        moved = int(((self.places != own) & ~self.out).sum())
        words = [f"{moved} of {rows} rows are in another order among equal scores"] if moved else []
        words += [f"{out} of {rows} rows at the cut, of equal scores, are not compared"] if out else []  # fmt: skip
        return "; ".join(words)

    def _rows(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(*self.out.shape, -1)

    def _moved(self, x: torch.Tensor) -> torch.Tensor:
        rows = self._rows(x)
        return torch.gather(rows, 1, self.places[..., None].expand_as(rows))


def _with_outputs(program: Program, more: Sequence[Node]) -> Program:
    """Return a program that also gives the values of these nodes."""
    graph = copy_graph(program.graph)
    nodes = {node.name: node for node in graph.nodes}
    own = (nodes[node.name] for node in program.outputs())
    graph.output_node().args = ((*own, *(nodes[node.name] for node in more)),)
    return replace(program, graph=graph)


def _ranked_outputs(program: Program) -> dict[Node, list[int]]:
    """Return, by the sort behind them, the outputs that have its rows along the same axis."""
    sorts = [node for node in program.calls() if op(node) in _SORTS and _is_along_the_last(node)]
    behind = {node: _behind(node) for node in sorts}
    rows: dict[Node, list[int]] = {}
    for k, output in enumerate(program.outputs()):
        orders = [n for n in sorts if output in behind[n] and _has_rows(shape(output), n)]
        if orders:
            rows.setdefault(orders[-1], []).append(k)
    return rows


def _is_along_the_last(node: Node) -> bool:
    extents = shape(node.all_input_nodes[0])
    return bool(extents) and argument(node, "dim") in (-1, len(extents) - 1)


def _behind(node: Node) -> set[Node]:
    nodes, pending = set[Node](), [node]
    while pending:
        for user in pending.pop().users:
            if user not in nodes:
                nodes.add(user)
                pending.append(user)
    return nodes


def _has_rows(extents: tuple[int, ...], node: Node) -> bool:
    *batch, along = shape(node.all_input_nodes[0])
    count = argument(node, "k") if op(node) == "topk" else along
    rows = extents[len(batch)] if len(extents) > len(batch) else 0
    is_selected = rows == count if op(node) == "topk" else 1 < rows <= count
    return extents[: len(batch)] == tuple(batch) and rows > 1 and is_selected


def _sorted(node: Node, scores: torch.Tensor, extents: tuple[int, ...]) -> torch.Tensor:
    descends = argument(node, "largest") if op(node) == "topk" else argument(node, "descending")
    ordered = scores.double().sort(-1, descending=bool(descends)).values
    return ordered[..., : extents[scores.ndim - 1]]


def _match(
    expected: list[torch.Tensor],
    actual: list[torch.Tensor],
    ranking: Ranking,
    equal: float,
    apart: float | None = None,
) -> _Match | None:
    """Put the rows of `actual` in the expected ones' places, within runs of equal scores.

    At the cut a row that is further than `apart` from the expected one is not compared; without
    a number, one that is several times as far as rows usually are here.
    """
    scores = ranking.scores.reshape(-1, ranking.scores.shape[-1])
    groups, count = scores.shape
    if count > _MOST_ROWS or not all(bool(x.isfinite().all()) for x in (*expected, *actual)):
        return None
    ours, theirs = (_rows(tensors, expected, groups, count) for tensors in (expected, actual))
    places = torch.stack([_places(a, b, s, equal) for a, b, s in zip(ours, theirs, scores, strict=True)])  # fmt: skip
    fitted = torch.gather(theirs, 1, places[..., None].expand_as(theirs))
    distances = _distances(ours, fitted)
    if apart is None:
        apart = _of_another(distances)
    at_the_cut = (scores - scores[:, -1:]).abs() <= equal
    out = at_the_cut & (distances > apart)
    return None if float(out.double().mean()) > _MOST_LEFT_OUT else _Match(places, out)


def _usual_distances(
    expected: list[torch.Tensor], ordered: list[torch.Tensor], ranking: Ranking
) -> torch.Tensor:
    groups, count = ranking.scores.reshape(-1, ranking.scores.shape[-1]).shape
    ours, theirs = (_rows(tensors, expected, groups, count) for tensors in (expected, ordered))
    return _distances(ours, theirs)


def _distances(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    return _length(theirs - ours) / _length(ours).clamp_min(1e-12)


def _of_another(distances: torch.Tensor) -> float:
    """Return how far from the expected row another one is, where these are usual."""
    return _OTHER_ROW * float(distances.median())


def _length(rows: torch.Tensor) -> torch.Tensor:
    return rows.square().sum(-1).sqrt()


def _rows(
    tensors: Sequence[torch.Tensor], scale: Sequence[torch.Tensor], groups: int, count: int
) -> torch.Tensor:
    """Return rows over all outputs, each output weighed alike."""
    parts: list[torch.Tensor] = []
    for x, like in zip(tensors, scale, strict=True):
        unit = like.double().square().mean().sqrt().clamp_min(1e-12)
        part = x.double().reshape(groups, count, -1) / unit
        parts.append(part / part.shape[-1] ** 0.5)
    return torch.cat(parts, -1)


def _places(
    ours: torch.Tensor, theirs: torch.Tensor, scores: torch.Tensor, equal: float
) -> torch.Tensor:
    """Return which row of theirs is the nearest to each of ours, each once, among those of equal scores."""
    far = torch.cdist(ours, theirs)
    if torch.equal(far.argmin(1), torch.arange(len(ours))):
        return far.argmin(1)
    far[(scores[:, None] - scores[None, :]).abs() > equal] = torch.inf
    places = torch.arange(len(ours))
    taken = torch.zeros(len(ours), dtype=torch.bool)
    for row in map(int, far.amin(1).argsort()):
        options = far[row].masked_fill(taken, torch.inf)
        best = int(options.argmin())
        if not torch.isfinite(options[best]):
            return torch.arange(len(ours))
        places[row], taken[best] = best, True
    return places


def with_rankings(program: Program, others: Sequence[Other]) -> tuple[Other, ...]:
    """Add to inputs of other statistics the scores that order the outputs there."""
    return tuple(replace(one, rankings=rankings_of(program, one.inputs)) for one in others)
