"""Trade-off plots in plain SVG: one panel per device, less is better on both axes.

Points on the Pareto front are marked and joined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDE, _HIGH = 640, 320  # of a panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 150, 40, 52
_LOG = 30.0  # logarithmic axis beyond this ratio of its ends
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #222 } .title { font-weight: 600; font-size: 14px }
.paper { fill: #fff } .axis { stroke: #888 } .grid { stroke: #e4e4e4 } .front { fill: none; stroke: #0a6; stroke-width: 2 }
.best { fill: #0a6 } .other { fill: #999 } .tick { fill: #555; font-size: 11px } .label { font-size: 11px }
@media (prefers-color-scheme: dark) { text { fill: #eee } .paper { fill: #181818 } .grid { stroke: #333 } .tick { fill: #aaa } }
"""


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Panel:
    title: str
    x_label: str
    y_label: str
    dots: tuple[Dot, ...]


def best_of(dots: Sequence[Dot]) -> list[Dot]:
    """Return the Pareto front, by x: the dots that no other one equals or beats on both axes."""
    best: list[Dot] = []
    for dot in sorted(dots, key=lambda d: (d.x, d.y)):
        if not best or dot.y < best[-1].y:
            best.append(dot)
    return best


def pareto_svg(panels: Sequence[Panel]) -> str:
    high = _HIGH * max(len(panels), 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {high}" width="{_WIDE}" '
        f'height="{high}" role="img" aria-label="{escape(", ".join(p.title for p in panels))}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDE}" height="{high}"/>',
    ]
    for index, panel in enumerate(panels):
        parts += [f'<g transform="translate(0 {index * _HIGH})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    log: bool
    start: float
    end: float  # in pixels

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        low, high = min(values), max(values)
        if low > 0 and high / low > _LOG:
            return cls(low / 1.3, high * 1.3, True, start, end)
        margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
        return cls(
            max(low - margin, 0.0) if low >= 0 else low - margin, high + margin, False, start, end
        )

    def at(self, value: float) -> float:
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            all_ticks = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
        else:
            step = _round_step((self.high - self.low) / 4)
            count = int(self.high / step) + 1
            all_ticks = [k * step for k in range(count + 1)]
        return [tick for tick in all_ticks if self.low <= tick <= self.high]


def _round_step(rough: float) -> float:
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(m * unit for m in (1, 2, 5, 10) if m * unit >= rough)


def _panel(panel: Panel) -> list[str]:
    parts = [f'<text class="title" x="{_LEFT}" y="22">{escape(panel.title)}</text>']
    if not panel.dots:
        return [*parts, f'<text x="{_LEFT}" y="60">nothing to show</text>']
    x = _Axis.of([d.x for d in panel.dots], _LEFT, _WIDE - _RIGHT)
    y = _Axis.of([d.y for d in panel.dots], _HIGH - _BOTTOM, _TOP)
    parts += _grid(x, y, panel)
    best = best_of(panel.dots)
    line = " ".join(f"{x.at(d.x):.1f},{y.at(d.y):.1f}" for d in best)
    parts.append(f'<polyline class="front" points="{line}"/>')
    others = [dot for dot in panel.dots if dot not in best]
    parts += [_circle(dot, x.at(dot.x), y.at(dot.y), "other") for dot in others]
    parts += [_circle(dot, x.at(dot.x), y.at(dot.y), "best") for dot in best]
    return [*parts, *_labels([*best, *others], x, y)]


def _grid(x: _Axis, y: _Axis, panel: Panel) -> list[str]:
    bottom, right = _HIGH - _BOTTOM, _WIDE - _RIGHT
    parts = []
    for tick in x.ticks():
        at = f"{x.at(tick):.1f}"
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{_TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{at}" y="{bottom + 16}" text-anchor="middle">{_short(tick)}</text>')  # fmt: skip
    for tick in y.ticks():
        at = f"{y.at(tick):.1f}"
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{at}" dy="4" text-anchor="end">{_short(tick)}</text>')  # fmt: skip
    parts.append(f'<path class="axis" fill="none" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">{escape(panel.x_label)}</text>')  # fmt: skip
    parts.append(f'<text x="16" y="{(_TOP + bottom) / 2}" text-anchor="middle" transform="rotate(-90 16 {(_TOP + bottom) / 2})">{escape(panel.y_label)}</text>')  # fmt: skip
    return parts


def _circle(dot: Dot, x: float, y: float, kind: str) -> str:
    figures = escape(f"{dot.label}: {_short(dot.x)}, {_short(dot.y)}")
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{figures}</title></circle>'
    )


def _labels(dots: Sequence[Dot], x: _Axis, y: _Axis) -> list[str]:
    """Place labels in order, where there is room. Each circle's title holds its label anyway."""
    parts: list[str] = []
    taken: list[tuple[float, float, float]] = []  # left, right, line
    for dot in dots:
        left, line = x.at(dot.x) + 4, y.at(dot.y) - 9
        right = left + 6.5 * len(dot.label)
        if all(right < a or left > b or abs(line - other) > 13 for a, b, other in taken):
            taken.append((left, right, line))
            parts.append(f'<text class="label" x="{left:.1f}" y="{line:.1f}">{escape(dot.label)}</text>')  # fmt: skip
    return parts


def _short(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value:.3g}"
