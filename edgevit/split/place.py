"""Where to cut a model for several devices in a row: the slowest device or link is to be as fast as can be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch.fx.node import Node

from edgevit.errors import UsageError
from edgevit.graph.cost import macs, stats
from edgevit.graph.program import Program, origin


@dataclass(frozen=True)
class Wire:
    """Predicted cost of sending values: bytes each second, seconds for each message."""

    rate: float = 10e6
    delay: float = 1e-3
    element_bytes: int = 1  # of a float that is sent


@dataclass(frozen=True, order=True)
class CutPoint:
    """Cut behind a call. `before` counts the multiply-accumulates up to it, `sent` the bytes across it."""

    index: int
    before: int
    sent: int
    line: str


def places_of(program: Program, wire: Wire) -> list[CutPoint]:
    """Return every place where only tensors cross."""
    calls = list(program.calls())
    order = {node: index for index, node in enumerate(calls)}
    last_use = {node: max((order[u] for u in node.users if u in order), default=-1) for node in (*program.placeholders(), *calls)}  # fmt: skip
    places, total = [], 0
    for index, call in enumerate(calls[:-1]):
        total += macs(call)
        crossing = [n for n, last in last_use.items() if last > index and order.get(n, -1) <= index]
        tensors = [node.meta["val"] for node in crossing]
        if all(isinstance(tensor, torch.Tensor) for tensor in tensors):
            sent = sum(_bytes(tensor, wire) for tensor in tensors)
            places.append(CutPoint(index, total, sent, str(origin(call))))
    return places


def _bytes(tensor: torch.Tensor, wire: Wire) -> int:
    return tensor.numel() * (wire.element_bytes if tensor.is_floating_point() else tensor.element_size())  # fmt: skip


def choose(program: Program, rates: Sequence[float], wire: Wire) -> tuple[CutPoint, ...]:
    """Return a place less than there are devices, whose rates are multiply-accumulates a second.

    The slowest of devices and links bounds how many inputs a second pass. Among equals the one
    with the least latency is taken.
    """
    places = _cheapest(places_of(program, wire))
    whole = stats(program).macs
    if len(places) < len(rates) - 1:
        raise UsageError(
            f"the model cannot be cut for {len(rates)} devices",
            where="--targets",
            why=f"there are {len(places)} places to cut it at",
            hint="name fewer devices",
        )
    rows = {place: _row(_Row(0.0, 0.0, ()), place, rates[0], wire) for place in places}
    for rate in rates[1:-1]:
        longer = {
            place: [_row(row, place, rate, wire) for last, row in rows.items() if last < place]
            for place in places
        }
        rows = {place: min(candidates) for place, candidates in longer.items() if candidates}
    return min(_ended(row, (whole - last.before) / rates[-1]) for last, row in rows.items()).cuts


def _cheapest(places: Sequence[CutPoint]) -> list[CutPoint]:
    """Keep, of places with the same calls before them that multiply, the one with the fewest bytes."""
    best: dict[int, CutPoint] = {}
    for place in places:
        if place.before not in best or place.sent < best[place.before].sent:
            best[place.before] = place
    return list(best.values())


class _Row(NamedTuple):
    """Cuts for the first devices, in the order in which they are better."""

    slowest: float
    latency: float
    cuts: tuple[CutPoint, ...]


def _ended(row: _Row, device: float) -> _Row:
    return _Row(max(row.slowest, device), row.latency + device, row.cuts)


def _row(row: _Row, place: CutPoint, rate: float, wire: Wire) -> _Row:
    """Give one more device what lies between the last cut and `place`."""
    start = row.cuts[-1].before if row.cuts else 0
    device, sending = (place.before - start) / rate, _seconds(place, wire)
    slowest = max(row.slowest, device, sending)
    return _Row(slowest, row.latency + device + sending, (*row.cuts, place))


def _seconds(place: CutPoint, wire: Wire) -> float:
    return wire.delay + place.sent / wire.rate


def macs_of_parts(program: Program, cuts: Sequence[CutPoint]) -> list[int]:
    ends = [0, *(cut.before for cut in cuts), stats(program).macs]
    return [end - start for start, end in pairwise(ends)]


def predicted(
    counts: Sequence[int], cuts: Sequence[CutPoint], rates: Sequence[float], wire: Wire
) -> dict[str, float]:
    """Return the latency of one input, and how many a second pass when every device is busy."""
    devices = [count / rate for count, rate in zip(counts, rates, strict=True)]
    links = [_seconds(cut, wire) for cut in cuts]
    slowest = max(*devices, *links)
    return {
        "latency_ms": 1e3 * (math.fsum(devices) + math.fsum(links)),
        "inputs_per_second": 1 / slowest if slowest else math.inf,
    }


def stages(program: Program, cuts: Sequence[CutPoint]) -> dict[Node, int]:
    ends = [cut.index for cut in cuts]
    return {call: sum(index > end for end in ends) for index, call in enumerate(program.calls())}
