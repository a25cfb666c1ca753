"""Target as text, and as plain values for `--json`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgevit.support.backend_info import AUTO
from edgevit.targets.target import ComputeUnit, MemoryRegion, Target


def describe(target: Target) -> str:
    """Return all facts of one target, then their source documents."""
    lines = [f"{target.name}  {target.title}", *_rows(_facts(target))]
    if target.regions:
        lines += ["", "memory map", *_indent(_columns(map(_region_cells, target.regions)))]
    if target.sources:
        lines += ["", "sources", *_rows(target.sources)]
    return "\n".join([*lines, "", f"from {target.file}"])


def table(targets: Iterable[Target]) -> str:
    """Return one line per target: name, aliases, formats, precision, RAM and the first CPU."""
    head = ("target", "also", "device", "formats", "precision", "RAM", "CPU")
    return "\n".join(_columns([head, *map(_table_cells, targets)]))


def as_dict(target: Target) -> dict[str, object]:
    return {
        "name": target.name,
        "title": target.title,
        "family": target.family,
        "aliases": list(target.aliases),
        "file": str(target.file),
        "extends": target.extends,
        "backend": target.backend,
        "formats": list(target.formats),
        "precisions": list(target.offered),
        "soc": target.soc,
        "os": {"name": target.os.name, "minimum": target.os.minimum} if target.os else None,
        "compute": [
            {
                "kind": unit.kind,
                "name": unit.name,
                "cores": unit.cores,
                "isa": unit.isa,
                "clock_hz": unit.clock_hz,
                **({"port_clock_hz": unit.port_clock_hz} if unit.port_clock_hz else {}),
                "tops": unit.tops,
                "int8": unit.int8,
            }
            for unit in target.compute
        ],
        "ram_bytes": target.ram_bytes,
        "flash_bytes": target.flash_bytes,
        "regions": [
            {
                "name": region.name,
                "kind": region.kind,
                "base": region.base,
                "size": region.size,
            }
            for region in target.regions
        ],
        "emulator": {
            "program": target.emulator.program,
            "machine": target.emulator.machine,
            "cpu": target.emulator.cpu,
        }
        if target.emulator
        else None,
        "sources": dict(target.sources),
    }


def bytes_text(count: int) -> str:
    """Return a size, exact in the largest unit that divides it: "320 KiB"."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} B"


def _facts(target: Target) -> list[tuple[str, str]]:
    facts = [("also", ", ".join(target.aliases)), ("soc", target.soc or "")]
    facts.append(("formats", _default_first(target.formats)))
    facts.append(("precision", _precisions(target)))
    if target.os:
        minimum = f" {target.os.minimum} or later" if target.os.minimum else ""
        facts.append(("os", target.os.name + minimum))
    facts += [(unit.kind, _unit_text(unit)) for unit in target.compute]
    if target.ram_bytes is not None:
        facts.append(("ram", bytes_text(target.ram_bytes) + (" on chip" if target.regions else "")))
    if target.flash_bytes is not None:
        facts.append(("flash", bytes_text(target.flash_bytes)))
    if target.emulator:
        emulator = target.emulator
        cpu = f" -cpu {emulator.cpu}" if emulator.cpu else ""
        facts.append(("emulator", f"{emulator.program} -M {emulator.machine}{cpu}"))
    return [(label, text) for label, text in facts if text]


def _default_first(choices: Sequence[str]) -> str:
    first, *others = choices
    return ", ".join([f"{first} (default)" if others else first, *others])


def _precisions(target: Target) -> str:
    """Return the precisions, each with its formats if not all formats have it."""
    words = []
    for name in target.offered:
        formats = [f for f in target.formats if name == AUTO or name in target.written(f)]
        of = "" if len(formats) == len(target.formats) else f" ({', '.join(formats)})"
        words.append(name + of)
    return _default_first(words)


def _unit_text(unit: ComputeUnit) -> str:
    count = f"{unit.cores} x " if unit.kind == "cpu" and unit.cores else ""
    details = [count + unit.name]
    if unit.kind != "cpu" and unit.cores:
        details.append(f"{unit.cores} cores")
    if unit.isa:
        details.append(unit.isa)
    if unit.clock_hz:
        details.append(f"{unit.clock_hz / 1e6:g} MHz")
    if unit.port_clock_hz:
        details.append(f"{unit.port_clock_hz / 1e6:g} MHz in the self-test")
    if unit.tops:
        details.append(f"{unit.tops:g} TOPS")
    if unit.int8:
        details.append("int8")
    return ", ".join(details)


def _region_cells(region: MemoryRegion) -> tuple[str, ...]:
    return (
        region.name,
        region.kind,
        f"{region.base:#010x}",
        f"{region.end - 1:#010x}",
        bytes_text(region.size),
    )


def _table_cells(target: Target) -> tuple[str, ...]:
    return (
        target.name,
        ", ".join(target.aliases),
        target.title,
        ", ".join(target.formats),
        target.precision(),
        bytes_text(target.ram_bytes) if target.ram_bytes else "",
        target.cpu.name if target.cpu else "",
    )


def _rows(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"  {label:<10} {text}" for label, text in pairs]


def _indent(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _columns(rows: Iterable[Sequence[str]]) -> list[str]:
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
