"""Conversion of a target's TOML, merged over the target that it extends, to a `Target`.

Every table of facts (`FACTS`) needs a line of the same name in `[source]`, in the same file: a
value that replaces an inherited one never keeps the inherited source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevit.errors import TargetError, suggest
from edgevit.support.backend_info import BACKENDS, precisions
from edgevit.targets.fields import Fields
from edgevit.targets.target import (
    ISA_FEATURES,
    ISAS,
    OS_NAMES,
    REGION_KINDS,
    ComputeUnit,
    EmulatedBoard,
    MemoryRegion,
    Os,
    Target,
)

NAMING = ("name", "title", "aliases", "extends", "base")  # never inherited
FACTS = ("soc", "os", "cpu", "gpu", "npu", "memory", "region", "emulator")
KEYS = (*NAMING, "formats", "precisions", *FACTS, "source")

_NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}")
_REGION = r"[A-Za-z_][A-Za-z0-9_]{0,31}"
_WORD = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_EMULATORS = ("qemu-system-arm", "qemu-system-riscv32")
_ADDRESS_SPACE = 1 << 32  # the cores that get a region map are all 32-bit


def check_sources(values: Mapping[str, Any], file: str) -> None:
    """Refuse facts without a source, and sources without a fact, in the same file."""
    fields = Fields(values, file, allowed=KEYS)
    source = fields.table("source", FACTS)
    for fact in FACTS:
        stated = fact in fields
        if stated and (source is None or fact not in source):
            raise TargetError(
                f"`{fact}` has no source",
                where=fields.where(fact),
                why="every fact names the document it was read from",
                hint=f'add `{fact} = "..."` to [source]',
            )
        if source is not None and fact in source:
            source.need(fact, str)
            if not stated:
                why = f"this file states nothing about `{fact}`"
                raise TargetError("a source without a fact", where=source.where(fact), why=why)


def check_name(name: str, where: str) -> None:
    if not _NAME.fullmatch(name):
        why = "names are lower-case letters and digits, with - or . between"
        raise TargetError(f"`{name}` cannot be a name", where=where, why=why)


def merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `own` over `base`: tables by key; lists, as `[[cpu]]` and `[[region]]`, as a whole."""
    merged = {key: value for key, value in base.items() if key not in NAMING}
    for key, value in own.items():
        under: Any = merged.get(key)
        both_tables = isinstance(value, dict) and isinstance(under, dict)
        merged[key] = {**under, **value} if both_tables else value
    return merged | _join_sources(base, own, merged)


def _join_sources(
    base: Mapping[str, Any], own: Mapping[str, Any], merged: Mapping[str, Any]
) -> dict[str, Any]:
    """Join the sources of tables with values from both files, the own source first."""
    if "source" not in merged:
        return {}
    joined = dict(merged["source"])
    for fact in own.get("source", {}):
        under = base.get(fact)
        if isinstance(own[fact], dict) and isinstance(under, dict) and under.keys() - own[fact]:
            joined[fact] = f"{own['source'][fact]}; {base['source'][fact]}"
    return {"source": joined}


def build(
    values: Mapping[str, Any],
    *,
    file: Path,
    shown: str,
    family: str = "",
    origins: Mapping[str, str] | None = None,
) -> Target:
    fields = Fields(values, shown, allowed=KEYS, origins=origins)
    name = fields.need("name", str)
    check_name(name, fields.where("name"))
    source = fields.table("source", FACTS)
    regions = _regions(fields)
    target = Target(
        name=name,
        title=fields.need("title", str),
        family=family,
        file=file,
        formats=_choices(fields, "formats", tuple(BACKENDS)),
        precisions=_choices(fields, "precisions", precisions()),
        aliases=fields.names("aliases"),
        extends=fields.get("extends", str),
        soc=fields.get("soc", str),
        os=_os(fields),
        compute=_compute(fields),
        memory_bytes=_memory(fields),
        regions=regions,
        emulator=_emulator(fields),
        sources=tuple((fact, source.need(fact, str)) for fact in FACTS if fact in source)
        if source
        else (),
    )
    _check_enough_for_formats(target, fields)
    return target


def _choices(fields: Fields, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    fields.need(key, list)
    choices = fields.names(key, allowed)
    if not choices:
        why = "the first one is the default"
        raise TargetError(f"`{key}` is empty", where=fields.where(key), why=why)
    return choices


def _os(fields: Fields) -> Os | None:
    table = fields.table("os", ("name", "minimum"))
    if table is None:
        return None
    minimum = table.get("minimum", str)
    if minimum is not None and not _VERSION.fullmatch(minimum):
        why = 'a version is numbers and dots: "17.0"'
        raise TargetError(f"`minimum` is `{minimum}`", where=table.where("minimum"), why=why)
    return Os(name=table.word("name", OS_NAMES), minimum=minimum)


def _compute(fields: Fields) -> tuple[ComputeUnit, ...]:
    units = [
        ComputeUnit(
            kind="cpu",
            name=cpu.need("name", str),
            cores=cpu.positive("cores"),
            isa=_isa(cpu),
            clock_hz=cpu.positive("clock_hz"),
            port_clock_hz=cpu.positive("port_clock_hz"),
        )
        for cpu in fields.tables("cpu", ("name", "cores", "isa", "clock_hz", "port_clock_hz"))
    ]
    for kind in ("gpu", "npu"):
        unit = fields.table(kind, ("name", "cores", "clock_hz", "tops", "int8"))
        if unit is not None:
            units.append(
                ComputeUnit(
                    kind=kind,
                    name=unit.need("name", str),
                    cores=unit.positive("cores"),
                    clock_hz=unit.positive("clock_hz"),
                    tops=unit.number("tops"),
                    int8=unit.get("int8", bool) or False,
                )
            )
    return tuple(units)


def _isa(cpu: Fields) -> str:
    isa = cpu.need("isa", str)
    core, *features = isa.split("+")
    for word, allowed in ((core, ISAS), *((feature, ISA_FEATURES) for feature in features)):
        if word not in allowed:
            raise TargetError(
                f"`{word}` is no instruction set that we know",
                where=cpu.where("isa"),
                why="known: " + ", ".join(allowed),
                hint=suggest(word, allowed),
            )
    return isa


def _memory(fields: Fields) -> int | None:
    memory = fields.table("memory", ("ram",))
    if memory is None:
        return None
    if "region" in fields:
        why = "with a region map, RAM is the sum of its regions"
        raise TargetError("both `memory` and `region`", where=memory.where(), why=why)
    return memory.size("ram")


def _regions(fields: Fields) -> tuple[MemoryRegion, ...]:
    regions: list[MemoryRegion] = []
    for table in fields.tables("region", ("name", "kind", "base", "size")):
        region = MemoryRegion(
            name=_needed(
                table, "name", _REGION, "a linker script takes letters, digits and _: `SRAM1`"
            ),
            kind=table.word("kind", REGION_KINDS),
            base=table.need("base", int),
            size=table.size("size"),
        )
        if region.base < 0 or region.end > _ADDRESS_SPACE:
            why = "it does not lie in 32 bits of addresses"
            raise TargetError(f"region `{region.name}`", where=table.where("base"), why=why)
        for other in regions:
            _check_apart(region, other, table.where())
        regions.append(region)
    return tuple(sorted(regions, key=lambda region: region.base))


def _check_apart(region: MemoryRegion, other: MemoryRegion, where: str) -> None:
    if region.name == other.name:
        why = "a linker script tells them apart by their names"
        raise TargetError(f"two regions are called `{region.name}`", where=where, why=why)
    if region.base < other.end and other.base < region.end:
        why = "\n".join(f"{r.name}: {r.base:#010x} up to {r.end:#010x}" for r in (other, region))
        message = f"regions `{other.name}` and `{region.name}` overlap"
        raise TargetError(message, where=where, why=why)


def _emulator(fields: Fields) -> EmulatedBoard | None:
    table = fields.table("emulator", ("program", "machine", "cpu"))
    if table is None:
        return None
    why = "build files run it with this word: letters, digits, `-`, `_` and `.`"
    return EmulatedBoard(
        program=table.word("program", _EMULATORS),
        machine=_needed(table, "machine", _WORD, why),
        cpu=table.pattern("cpu", _WORD, why),
    )


def _needed(table: Fields, key: str, pattern: str, why: str) -> str:
    table.need(key, str)
    return table.pattern(key, pattern, why) or ""


def _check_enough_for_formats(target: Target, fields: Fields) -> None:
    """Refuse a target without the facts that a backend would have to guess."""
    if not target.offered:
        formats = (f"{name}: {' '.join(BACKENDS[name].precisions)}" for name in target.formats)
        raise TargetError(
            "none of its formats is written in one of its precisions",
            where=fields.where("precisions"),
            why=", ".join(formats),
            hint="add a precision that a format is written in",
        )
    for name in target.formats:
        place = BACKENDS[name].missing_facts
        gap = BACKENDS[name].part(place)(target) if place else None
        if gap:
            key, why = gap
            message = f"`{key}` is missing for the format `{name}`"
            raise TargetError(message, where=fields.where(key), why=why)
