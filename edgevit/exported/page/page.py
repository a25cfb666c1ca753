"""Report page. Its content security policy blocks external resources and foreign scripts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgevit.exported.page.beside import Comparison, beside_section
from edgevit.exported.page.checks import parity_section, places_section
from edgevit.exported.page.cost import (
    Timings,
    Trade,
    firmware_section,
    latency_section,
    trades_section,
)
from edgevit.exported.page.graph import graph_section, rules_section
from edgevit.exported.page.head import head_figures
from edgevit.exported.page.html import Html, badge, fold, joined, section, table, tag, text, tiles
from edgevit.exported.page.outline import figures_of, read_outline
from edgevit.exported.page.quantized import quantized_section
from edgevit.exported.page.view import layers_section, view_section
from edgevit.exported.text import GRAPHS, verdict

_HERE = Path(__file__).parent
_SCRIPTS = ("picture.js", "script.js")
_MEMORY_MAP = "memory.svg"


def page(
    folder: Path,
    manifest: Mapping[str, Any],
    timings: Timings | None = None,
    trades: Sequence[Trade] = (),
    comparison: Comparison | None = None,
) -> str:
    """Render the report page of `folder`, with latencies, trade-offs and another export beside it."""
    outline = read_outline(folder)
    figures = figures_of(outline["after"], manifest, timings) if outline else []
    sections = [  # what a reader asks first, first
        beside_section(comparison),
        parity_section(manifest),
        places_section(manifest),
        latency_section(timings, manifest["format"]),
        firmware_section(manifest, _memory_map(folder, manifest)),
        quantized_section(manifest),
        trades_section(trades),
        view_section(outline, figures),
        layers_section(outline, figures),
        graph_section(manifest, _listings(folder)),
        rules_section(manifest),
        _made(manifest),
    ]
    shown = [part for part in sections if part]
    name = f"{manifest['model']['name']} for {manifest['target']}"
    script = "".join((_HERE / name).read_text() for name in _SCRIPTS)
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{text(name)} · edgevit</title><style>{(_HERE / 'style.css').read_text()}</style></head>"
        f"<body>{_head(manifest, name, shown, timings)}<main>{joined(shown)}</main>"
        f"<script>{script}</script></body></html>\n"
    )


def _head(
    manifest: Mapping[str, Any], name: str, sections: Sequence[Html | str], timings: Timings | None
) -> Html:
    model = manifest["model"]
    links = [(part.partition('id="')[2].partition('"')[0]) for part in sections]
    titles = [part.partition("<h2>")[2].partition("</h2>")[0] for part in sections]
    menu = joined(
        tag("a", Html(title), href=f"#{link}") for link, title in zip(links, titles, strict=True)
    )
    passed = bool(manifest["passed"])
    return tag(
        "header",
        tag("h1", name),
        tag("p", badge(passed, verdict(passed, manifest))),
        tag("p", tag("code", model["spec"]), f" · {model['origin']} · weights {model['weights']}"),
        tiles(head_figures(manifest, timings)),
        tag("nav", menu, aria_label="sections"),
    )


def _made(manifest: Mapping[str, Any]) -> Html:
    """Render the section with the export command, versions, ports, notes, stages and files."""
    stages = [
        (name, f"{cost['seconds']:.1f}", f"{cost['peak_memory_mb']:,.0f}")
        for name, cost in manifest["stages"].items()
    ]
    files = [
        (tag("code", file["path"]), f"{file['bytes']:,}", tag("code", file["sha256"][:16]))
        for file in manifest["files"]
    ]
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    command = manifest.get("command")
    inputs = (
        manifest.get("ports", {}).get("inputs", ()),
        manifest.get("ports", {}).get("outputs", ()),
    )
    ports = [
        (tag("code", port["name"]), kind, port["dtype"], "x".join(map(str, port["shape"])) or "scalar")
        for kind, entries in zip(("in", "out"), inputs, strict=True)
        for port in entries
    ]  # fmt: skip
    return section(
        "made",
        "Made by",
        tag("pre", command, class_="command", tabindex="0", aria_label="the command") if command else "",
        tag("p", f"With {versions}."),
        table(("name", "", "type", "shape"), ports, "What it takes and gives", texts=4) if ports else "",
        tag("ul", *(tag("li", note) for note in manifest["notes"])) if manifest["notes"] else "",
        fold("Stages", table(("stage", "seconds", "peak memory, MB"), stages, "What each stage took"), count=str(len(stages))),
        fold("Files", table(("file", "bytes", "SHA-256"), files, "What was written"), count=str(len(files))),
    )  # fmt: skip


def _listings(folder: Path) -> dict[str, str]:
    paths = {when: folder / GRAPHS / f"{when}.txt" for when in ("before", "after")}
    return {when: path.read_text() for when, path in paths.items() if path.is_file()}


def _memory_map(folder: Path, manifest: Mapping[str, Any]) -> bytes | None:
    path = folder / manifest["artifact"] / _MEMORY_MAP
    return path.read_bytes() if path.is_file() else None
