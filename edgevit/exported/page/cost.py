"""Report sections on cost.

Measured latency by op, firmware instructions by layer and memory over time, and trade-offs against
other exports.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevit.exported.page.drawing import inline
from edgevit.exported.page.html import Html, bar, fold, named, note, section, table, tag
from edgevit.support.backend_info import firmware_formats

_SHOWN = 25
OWN_FORWARD = "the model's own forward"  # of what no module of the model computes


@dataclass(frozen=True)
class Timings:
    """Latency in milliseconds. `ops` have the keys `op`, `place`, `unit`, `ms`."""

    median: float
    low: float
    high: float
    where: str
    when: str
    ops: Sequence[Mapping[str, Any]] = ()
    ops_missing: str = ""


@dataclass(frozen=True)
class Trade:
    """SVG picture of a trade-off, titled by the file that it was read from."""

    title: str
    svg: str


def latency_section(timings: Timings | None, format: str) -> Html | str:
    if format in firmware_formats():
        return ""
    if timings is None:
        hint = "on a device: edgevit profile --help"
        return section("latency", "Latency", note("Not measured. Here: ", tag("code", "edgevit report DIR --profile"), "; ", hint, "."))  # fmt: skip
    said = f"{timings.median:.4g} ms (the middle half: {timings.low:.4g} to {timings.high:.4g})"
    parts: list[object] = [
        tag("p", tag("b", said), " measured on ", timings.where, ", ", timings.when, "."),
        _ops(timings.ops) if timings.ops else note(timings.ops_missing or "No table of ops: --profile takes one."),
    ]  # fmt: skip
    return section("latency", "Latency", *parts)


def _ops(ops: Sequence[Mapping[str, Any]]) -> Html:
    dear = sorted(ops, key=lambda op: -op["ms"])
    total, most = sum(op["ms"] for op in ops) or 1.0, dear[0]["ms"] or 1.0

    def rows(part: Sequence[Mapping[str, Any]]) -> list[Sequence[object]]:
        return [
            (named(op["op"], f"{op['place']}  {op['unit']}"), bar(op["ms"] / most), f"{op['ms']:.4g}", f"{op['ms'] / total:.1%}")
            for op in part
        ]  # fmt: skip

    head = ("op", "", "ms", "share")
    parts = [
        table(head, rows(dear[:_SHOWN]), "Latency by op, the dearest first; measured", texts=2)
    ]
    if len(dear) > _SHOWN:
        rest = table(head, rows(dear[_SHOWN:]), "The other ops", texts=2)
        parts.append(fold("The other ops", rest, count=f"{len(dear) - _SHOWN}"))
    return tag("div", *parts)


def firmware_section(manifest: Mapping[str, Any], memory: bytes | None) -> Html | str:
    firmware = manifest.get("firmware")
    if not firmware:
        return ""
    parts: list[object] = [
        tag("p", f"Core {firmware['core']}, arena {firmware['arena_bytes']:,} bytes, constants {firmware['constant_bytes']:,} bytes."),
        _execution(firmware.get("execution")),
    ]  # fmt: skip
    if memory is not None:
        alt = "A rectangle for each value in the arena: across, the loops in their order; up, the bytes it lies at."
        picture = tag(
            "div",
            inline(memory, alt),
            class_="wide told",
            tabindex="0",
            role="region",
            aria_label="memory over time",
        )
        hint = "Point at a rectangle, tap it or use the arrows: its value stands below."
        parts += [tag("h3", "Memory over time"), picture, note(hint)]  # fmt: skip
    return section("firmware", "Firmware", *parts)


def _execution(execution: Mapping[str, Any] | None) -> Html:
    if not execution:
        return note("Not emulated: ", tag("code", "edgevit run DIR"), ".")
    memory = execution["memory"]
    said = (
        f"{execution['instructions']:,} instructions, RAM {memory['ram_bytes']:,} bytes (stack {memory['stack_bytes']:,}), "
        f"flash {memory['flash_bytes']:,} bytes; emulated: {execution['emulator']}, {execution['toolchain']}."
    )
    layers = sorted(execution["per_layer"], key=lambda layer: -layer["instructions"])
    most = max((layer["instructions"] for layer in layers), default=1) or 1
    rows = [
        (_layer(layer), bar(layer["instructions"] / most), f"{layer['instructions']:,}", f"{layer['macs']:,}", _per_mac(layer))
        for layer in layers
    ]  # fmt: skip
    head = ("layer", "", "instructions", "MACs", "a MAC")
    shown = table(
        head, rows[:_SHOWN], "Instructions by layer, the dearest first; emulated", texts=2
    )
    rest = table(head, rows[_SHOWN:], "The other layers", texts=2)
    return tag("div", tag("p", said), shown, fold("The other layers", rest, count=str(len(rows) - _SHOWN)) if len(rows) > _SHOWN else "")  # fmt: skip


def _per_mac(layer: Mapping[str, Any]) -> str:
    if not layer["macs"]:
        return ""
    why = layer.get("slow_because")
    slow = ", slow" if layer.get("slow") else ""
    return f"{layer['instructions'] / layer['macs']:.2f}{slow}{': ' + why if slow and why else ''}"


def _layer(layer: Mapping[str, Any]) -> Html:
    module = layer.get("module", "") or OWN_FORWARD
    return named(module, "  ".join((layer["kind"], layer["name"], layer.get("source", ""))))


def trades_section(trades: Sequence[Trade]) -> Html | str:
    if not trades:
        return ""
    parts: list[object] = []
    for trade in trades:
        source = "data:image/svg+xml;base64," + b64encode(trade.svg.encode()).decode()
        picture = Html(f'<img class="picture" src="{source}" alt="">')
        parts += [tag("h3", trade.title), tag("div", picture, class_="wide", tabindex="0", role="region", aria_label=trade.title)]  # fmt: skip
    return section("trades", "Among others", *parts)
