"""Figures at the head of the report, in the order in which they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgevit.exported.page.cost import Timings
from edgevit.exported.text import artifact_bytes

Tile = tuple[str, str, str]  # name, figure, a note on the figure


def head_figures(manifest: Mapping[str, Any], timings: Timings | None) -> list[Tile]:
    graph = manifest["graph"]
    before, after = graph["before"], graph["after"]
    return [
        _parity(manifest),
        *_places(manifest),
        *_cost(manifest, timings),
        *_memory(manifest),
        *_accuracy(manifest),
        ("size", f"{artifact_bytes(manifest) / 1e6:.2f} MB", manifest["artifact"]),
        ("format", f"{manifest['format']} {manifest['precision']}", manifest["target"]),
        ("operations", f"{after['ops']:,}", f"{before['ops']:,} before"),
        ("M MACs", f"{after['macs'] / 1e6:,.1f}", f"{before['macs'] / 1e6:,.1f} before"),
    ]


def _parity(manifest: Mapping[str, Any]) -> Tile:
    cosines = [entry["cosine"] for entry in manifest["parity"]]
    lowest = "unknown" if None in cosines or not cosines else f"{min(cosines):.6f}"
    return "cosine", lowest, "the lowest of all stages"


def _places(manifest: Mapping[str, Any]) -> Iterator[Tile]:
    delegation, placement = manifest.get("delegation"), manifest.get("placement")
    if delegation:
        inside, outside = delegation["ops_inside"], delegation["ops_outside"]
        share = f"{outside:,} outside" if inside is None else f"{inside:,} of {inside + outside:,}"
        yield "runs on", share, f"ops, {delegation['to']}"
    elif placement:
        units = placement["units"]
        share = f"{units['neural_engine']:,} of {sum(units.values()):,}"
        yield "runs on", share, "ops on the Neural Engine, predicted"


def _cost(manifest: Mapping[str, Any], timings: Timings | None) -> Iterator[Tile]:
    execution = (manifest.get("firmware") or {}).get("execution")
    if timings:
        yield "latency", f"{timings.median:.4g} ms", f"measured on {timings.where}"
    elif execution:
        cycles = execution.get("predicted_cycles")
        told = f"; {cycles:,} cycles predicted" if cycles else ""
        yield (
            "instructions",
            f"{execution['instructions']:,}",
            f"emulated, {execution['core']}{told}",
        )
    elif predicted := manifest.get("predicted"):
        yield "cycles", f"{predicted['cycles']:,}", "predicted"


def _memory(manifest: Mapping[str, Any]) -> Iterator[Tile]:
    execution = (manifest.get("firmware") or {}).get("execution")
    if execution:
        memory = execution["memory"]
        yield "RAM", f"{memory['ram_bytes']:,} bytes", "with its stack, emulated"
        yield "flash", f"{memory['flash_bytes']:,} bytes", "code and weights, emulated"
    elif predicted := manifest.get("predicted"):
        yield "RAM", f"{predicted['ram_bytes']:,} bytes", "predicted"


def _accuracy(manifest: Mapping[str, Any]) -> Iterator[Tile]:
    if accuracy := manifest.get("accuracy"):
        floats = f"{accuracy['float']['top1']:.1f}% in floats, {accuracy['count']:,} pictures"
        yield "top-1", f"{accuracy['file']['top1']:.1f}%", floats
