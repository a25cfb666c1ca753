"""Linear region between a source and a sink, as one convolution (or one linear).

    sum of chains of {conv, batch norm, average pool, scale, shift, pad, identity} of x   ->   conv(x, W, b)

W and b are worked out in float64 from the definition of each call (`form.py`) and rounded once, hence
`rtol`. This is structural reparameterisation without a hook: RepVGG and MobileOne branches, RepMixer,
residual depthwise, 1x1 chains, batch norms and layer scales are all the same case. A region collapses
when that costs no more multiply-accumulates and no more bytes, and less of one of them. Zero padding in
the middle of a chain is exact only where the value before it is zero past its border: else it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.cost import CONVOLUTIONS
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.convolutions.collapse_linear.form import (
    Geometry,
    LinearForm,
    geometry,
    macs,
    weight_of,
)
from edgevit.rewrites.convolutions.collapse_linear.region import Region, cost, replaced_by
from edgevit.rewrites.convolutions.collapse_linear.steps import FIRST, LAST, STEPS
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_CONVOLUTION = {1: aten.conv1d.default, 2: aten.conv2d.default, 3: aten.conv3d.default}


@dataclass(frozen=True)
class Candidate:
    """One way to replace the sink: a form over a source, and its savings."""

    source: Node
    layout: str
    form: LinearForm
    geometry: Geometry
    replaced: tuple[Node, ...]
    macs_before: int
    macs_after: int
    bytes_before: int
    bytes_after: int

    @property
    def pays(self) -> bool:
        fewer_macs, fewer_bytes = (
            self.macs_before - self.macs_after,
            self.bytes_before - self.bytes_after,
        )
        return fewer_macs >= 0 and fewer_bytes >= 0 and fewer_macs + fewer_bytes > 0

    @property
    def saving(self) -> tuple[int, int]:
        return self.macs_before - self.macs_after, self.bytes_before - self.bytes_after


@dataclass(frozen=True)
class Collapse(Match):
    best: Candidate | None
    reason: str = ""


class CollapseLinear(Rule[Collapse]):
    name: ClassVar[str] = "collapse-linear"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("drop-identity", "fold-constants")
    backward: ClassVar[bool] = True

    def match(self, node: Node, draft: Draft) -> Collapse | None:
        if kind(node) not in STEPS:
            return None
        region = Region.before(node, draft)
        candidates = list(_candidates(node, region))
        paying = [c for c in candidates if c.pays]
        if paying:
            return Collapse(node, max(paying, key=lambda c: c.saving))
        reason = _border(node, region) or _price(node, candidates)
        return Collapse(node, None, reason) if reason else None

    def check(self, match: Collapse, draft: Draft) -> None:
        if match.best is None:
            raise Refused(match.reason)

    def replaces(self, match: Collapse) -> tuple[Node, ...]:
        """Return the convolutions of the region: a reader knows the result by their place."""
        if match.best is None:
            return (match.node,)
        weighty = [
            n
            for n in reversed(match.best.replaced)
            if kind(n) in CONVOLUTIONS or kind(n) == "linear"
        ]
        return tuple(weighty) or (match.node,)

    def rewrite(self, match: Collapse, edit: Edit) -> Node:
        assert match.best is not None
        return (
            _emit_linear(match, edit)
            if match.best.layout == LAST
            else _emit_convolution(match, edit)
        )


def _candidates(sink: Node, region: Region) -> Iterator[Candidate]:
    for (source, layout), form in region.forms[sink].items():
        if source is sink or (layout == LAST and form.groups != 1):
            continue
        window = geometry(form)
        if window is None or (layout == FIRST and len(form.size) not in _CONVOLUTION):
            continue
        replaced = replaced_by(sink, source)
        if not any(kind(n) in CONVOLUTIONS or kind(n) == "linear" for n in replaced):
            continue
        before = cost(replaced)
        after = _cost_of(sink, source, form, window)
        yield Candidate(
            source, layout, form, window, tuple(replaced), before[0], after[0], before[1], after[1]
        )


def _cost_of(sink: Node, source: Node, form: LinearForm, window: Geometry) -> tuple[int, int]:
    rows = prod(shape(sink)) // (form.outs * prod(form.size))
    weights = form.outs * (form.ins // form.groups) * prod(window.kernel_size) + form.outs * bool(
        form.bias.any()
    )
    moved = (prod(shape(source)) + prod(shape(sink)) + weights) * value(sink).element_size()
    return rows * macs(form, window), moved


def _border(node: Node, region: Region) -> str:
    """Return why this call, and not one before it, could not join the region it reads."""
    return next((reason for blocked, reason in region.borders if blocked is node), "")


def _price(node: Node, candidates: list[Candidate]) -> str:
    """Return why the widest region stays as it is.

    It is reported once, at its last call, when it holds two convolutions.
    """
    if any(kind(user) in STEPS for user in node.users):
        return ""
    chains = [
        c
        for c in candidates
        if sum(kind(n) in CONVOLUTIONS or kind(n) == "linear" for n in c.replaced) > 1
    ]
    if not chains:
        return ""
    c = min(chains, key=lambda c: c.macs_after)
    return (
        f"one convolution would cost more: {c.macs_after:,} multiply-accumulates and {c.bytes_after:,} bytes moved, "
        f"now {c.macs_before:,} and {c.bytes_before:,}"
    )


def _emit_convolution(match: Collapse, edit: Edit) -> Node:
    best = match.best
    assert best is not None
    form, window, dtype = best.form, best.geometry, value(match.node).dtype
    weight = edit.constant(weight_of(form, window, dtype), "weight")
    call = _CONVOLUTION[len(form.size)]
    return edit.call(call, best.source, weight, _bias(form, dtype, edit), list(form.stride), list(window.padding),
                     list(window.dilation), form.groups)  # fmt: skip


def _emit_linear(match: Collapse, edit: Edit) -> Node:
    best = match.best
    assert best is not None
    dtype = value(match.node).dtype
    weight = edit.constant(best.form.kernel().to(dtype), "weight")
    out = edit.call(aten.linear.default, best.source, weight, _bias(best.form, dtype, edit))
    return edit.reshaped(out, shape(match.node))


def _bias(form: LinearForm, dtype: torch.dtype, edit: Edit) -> Node | None:
    return edit.constant(form.bias.to(dtype), "bias") if form.bias.any() else None
