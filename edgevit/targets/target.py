"""Device description for the other stages: immutable facts, with the source of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import TargetError, suggest
from edgevit.support.backend_info import (
    AUTO,
    BACKENDS,
    INT8,
    AutomaticPrecision,
    is_integer,
    precisions,
)
from edgevit.targets.refused import (
    unknown_format,
    unknown_precision,
    untaken_format,
    untaken_precision,
)

OS_NAMES = ("Android", "Linux", "Windows", "iOS", "macOS")

DATA_RAM = ("dtcm", "ccm", "sram")  # on chip, the CPU reads and writes data here
CODE_MEMORY = ("flash", "external-flash", "rom", "itcm")
REGION_KINDS = (*DATA_RAM, *CODE_MEMORY, "external-ram")

ISAS = (
    "aarch64",
    "armv6-m",
    "armv7-m",
    "armv7e-m",
    "armv8-m.main",
    "armv8.1-m.main",
    "rv32imac",
    "rv32imc",
    "x86-64",
)
# `fp` is single precision, `fp.dp` has double as well; `mve` has integer and float vectors.
ISA_FEATURES = ("avx2", "dotprod", "dsp", "fp", "fp.dp", "fp16", "i8mm", "mve")


@dataclass(frozen=True)
class MemoryRegion:
    name: str
    kind: str  # one of REGION_KINDS
    base: int
    size: int  # bytes

    @property
    def end(self) -> int:
        """First address after the region."""
        return self.base + self.size


@dataclass(frozen=True)
class ComputeUnit:
    """One CPU cluster, the GPU or the neural engine."""

    kind: str  # cpu | gpu | npu
    name: str
    cores: int | None = None
    isa: str | None = None  # "armv7e-m+dsp+fp"; a CPU always has one
    clock_hz: int | None = None  # the maker's maximum
    port_clock_hz: int | None = None  # that the port of the self-test sets
    tops: float | None = None  # the maker's own figure, 10^12 operations a second
    int8: bool = False  # multiplies bytes faster than floats

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self.isa.split("+")[1:]) if self.isa else ()


@dataclass(frozen=True)
class Os:
    name: str
    minimum: str | None = None  # oldest version that artifacts must run on

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.minimum.split(".")) if self.minimum else ()


@dataclass(frozen=True)
class EmulatedBoard:
    program: str
    machine: str
    cpu: str | None = None


@dataclass(frozen=True)
class Target:
    name: str
    title: str
    family: str  # folder of the file; "" for a user's own file
    file: Path
    formats: tuple[str, ...]  # the first is the default
    precisions: tuple[str, ...]  # the first is the default
    aliases: tuple[str, ...] = ()
    extends: str | None = None
    soc: str | None = None
    os: Os | None = None
    compute: tuple[ComputeUnit, ...] = ()
    memory_bytes: int | None = None  # as the file states it, for devices without a region map
    regions: tuple[MemoryRegion, ...] = ()  # by address
    emulator: EmulatedBoard | None = None
    sources: tuple[tuple[str, str], ...] = ()  # fact, the document that states it

    @property
    def backend(self) -> str:
        return self.formats[0]

    @property
    def is_microcontroller(self) -> bool:
        return any(BACKENDS[format].firmware for format in self.formats)

    @property
    def cpu(self) -> ComputeUnit | None:
        """First CPU cluster: the fastest one of a phone, the only one of an MCU."""
        return next((unit for unit in self.compute if unit.kind == "cpu"), None)

    @property
    def npu(self) -> ComputeUnit | None:
        return next((unit for unit in self.compute if unit.kind == "npu"), None)

    @property
    def isa(self) -> str | None:
        return self.cpu.isa if self.cpu else None

    @property
    def clock_hz(self) -> int | None:
        return self.cpu.clock_hz if self.cpu else None

    @property
    def port_clock_hz(self) -> int | None:
        return self.cpu.port_clock_hz if self.cpu else None

    @property
    def ram_bytes(self) -> int | None:
        """On-chip data RAM if the target has a region map, else all RAM."""
        if self.regions:
            return self._bytes_of(DATA_RAM)
        return self.memory_bytes

    @property
    def flash_bytes(self) -> int | None:
        """Flash that firmware is read from in place: on-chip, else external."""
        return self._bytes_of(("flash",)) or self._bytes_of(("external-flash",)) or None

    def region(self, name: str) -> MemoryRegion:
        regions = {region.name: region for region in self.regions}
        if name not in regions:
            raise TargetError(
                f"`{self.name}` has no memory region `{name}`",
                where=str(self.file),
                why=f"its regions: {', '.join(regions) or 'none'}",
                hint=suggest(name, regions),
            )
        return regions[name]

    def format(self, requested: str | None = None) -> str:
        """Return the format to write: the requested one, or the target's default."""
        if requested is None:
            return self.formats[0]
        if requested in self.formats:
            return requested
        if requested not in BACKENDS:
            raise unknown_format(requested, self)
        raise untaken_format(requested, self)

    def precision(self, requested: str | None = None, format: str | None = None) -> str:
        """Return the precision to compute in.

        It is the requested one, or the target's first that the format is written in.
        """
        name = self.format(format)
        if written := self.written(name):
            if requested is None or requested in written:
                return requested or written[0]
            if requested == AUTO:
                return self.automatic(name).precision
            if requested in precisions():
                raise untaken_precision(requested, self, name)
            raise unknown_precision(requested, self, written, f" with {name}")
        raise TargetError(
            f"`{self.name}` takes no precision that {name} is written in",
            where=str(self.file),
            why=f"it takes {', '.join(self.precisions)}; {name} is written in {', '.join(BACKENDS[name].precisions)}",
            hint=f"another format: {', '.join(self.formats)}",
        )

    def automatic(self, format: str) -> AutomaticPrecision:
        """Return what `auto` is written in, and why."""
        chosen, written = BACKENDS[format].automatic_for(self), self.written(format)
        if chosen.precision in written:
            return chosen
        return AutomaticPrecision(written[0], f"{self.title} takes no other")

    def written(self, format: str) -> tuple[str, ...]:
        """Return the device's precisions that edgevit writes the format in."""
        written = BACKENDS[format].precisions
        plain = [p for p in self.precisions if p in written]
        integers = [p for p in written if is_integer(p)] if INT8 in self.precisions else []
        return tuple(dict.fromkeys([*plain, *integers]))

    @property
    def offered(self) -> tuple[str, ...]:
        """Precisions that some format of the target is written in, the default first."""
        written = dict.fromkeys(p for format in self.formats for p in self.written(format))
        return (*(p for p in written if p != AUTO), *([AUTO] if self._has_choice else []))

    @property
    def _has_choice(self) -> bool:
        return any(len(self.written(format)) > 1 for format in self.formats)

    def _bytes_of(self, kinds: tuple[str, ...]) -> int:
        return sum(region.size for region in self.regions if region.kind in kinds)
