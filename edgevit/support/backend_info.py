"""Facts about a backend that are available without importing the backend."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import TargetError, suggest
from edgevit.plugins import Registry, load

AUTO = "auto"  # integers as they suit the device, or floats


@dataclass(frozen=True)
class AutomaticPrecision:
    """What `auto` is written in for a target, and why."""

    precision: str
    why: str
    # Largest share of the time in floats, where the file is timed, at which it is not written in floats instead.
    slowest: float = math.inf


@dataclass(frozen=True)
class BackendInfo:
    """Description of one backend. A place is `module:attribute`, imported on use."""

    name: str  # name of the format
    title: str  # display name
    purpose: str  # devices and file, in a few words
    backend: str  # place of the `Backend`, or of a function of the target that returns one
    precisions: tuple[str, ...]  # supported precisions, the default first
    extra: str  # extra of `pip install 'edgevit[...]'`
    suffix: str  # suffix of the artifact, empty for a folder
    called: tuple[str, ...] = ()  # what people call the format, in small letters without spaces
    instead_of: tuple[tuple[str, str], ...] = ()  # a format that edgevit has not, and why this one
    calibrates: tuple[str, ...] = ()  # precisions that take calibration options
    # Place of the `QuantScheme` of each precision in integers, or of a function of the target that
    # returns them.
    schemes: str | None = None
    # Place of `automatic(target)`, an `AutomaticPrecision`; None: the first of integers.
    automatic: str | None = None
    session: str | None = None  # place of `open_session(path, threads)`, with a host runtime
    # The host runtime imitates the device: its outputs count, its times do not.
    emulated: bool = False
    libraries: tuple[str, ...] = ()  # distributions of the runtime; the first is the one to install
    versions: str | None = None  # place of `versions()`, of a runtime that is no distribution
    beside: tuple[str, ...] = ()  # suffixes of files that belong to the artifact: `net.so.json`
    machine_code: bool = False  # runs on one architecture alone
    code: str | None = None  # kind of code in an artifact: run only with the user's seal or trust
    firmware: bool = False  # sources to link: figures are instructions and RAM, not latency
    delegates: bool = False  # the file records what the runtime's delegate takes
    holds_labels: bool = False
    # Lossy steps whose zeros the format leaves out, or its kernels skip: it says itself of how many.
    skips_zeros: tuple[str, ...] = ()
    engine: str | None = None  # accelerator with predicted placement
    missing_facts: str | None = None  # place of `missing(target)`: a key and why, or None
    # Place of `require_flash(weights, target, options, share)`: refuses weights that alone are too many.
    room: str | None = None
    first_rules: str | None = None  # before the standard ones, where no other format shares them
    ports: str | None = None  # place of `ports(artifact, expected)`; else from the session
    interpreter: str | None = (
        None  # place of `open_interpreter(artifact)`, for lack of a runtime here
    )
    executable: str | None = None  # place of `open_executable(folder)`, to run on emulated cores
    # Place of `open_early(folder)`, an `EarlyExecutable`, and of the options that make it: firmware that stops at exits.
    early: tuple[str, str] | None = None
    options: str | None = None  # place of the `OptionsInfo` of backend-specific options
    finish: str | None = None  # place of `finish(artifact_path, manifest)`, for extra files
    packages: str | None = None  # place of `write_packages(folders, kinds, output, version)`
    snippets: str | None = None  # place of the tuple of call snippets
    # Place of Python code, `session(path, part)`, that opens a part of a model with early exits.
    part_session: str | None = None
    device: str | None = None  # place of what makes it a device of a split model by C of its own
    functions: str | None = None  # place of `Functions`: how a file has several
    runners: tuple[tuple[str, str], ...] = ()  # addresses of `--on`, places of `open_runner`
    device_binary: str | None = None  # place of the benchmark program to push to a phone

    def part(self, place: str) -> Any:
        """Import and return the object at one of the places."""
        return load(place, "edgevit.backends")

    def backend_object(self) -> Any:
        """Import the backend, or the function of a target that returns one."""
        return self.part(self.backend)

    def scheme(self, precision: str, target: Any = None) -> Any | None:
        """Return the `QuantScheme` of a precision; None where it computes in floats."""
        if self.schemes is None:
            return None
        schemes = self.part(self.schemes)
        by_precision: Any = schemes(target) if callable(schemes) else schemes
        return by_precision.get(precision)

    def automatic_for(self, target: Any) -> AutomaticPrecision:
        """Return what `auto` is for a target that takes integers."""
        if self.automatic is not None:
            return self.part(self.automatic)(target)
        integers = [p for p in self.precisions if is_integer(p)]
        if not integers:
            return AutomaticPrecision(self.precisions[0], f"{self.title} is written in floats")
        return AutomaticPrecision(integers[0], f"{self.title} computes in integers")

    @property
    def runs_here(self) -> bool:
        """Check for a runtime of this host, whose time is the artifact's."""
        return self.session is not None and not self.emulated


def _own() -> dict[str, str]:
    """Find the built-in backends by their folders: each has a module `info`."""
    spec = importlib.util.find_spec("edgevit.backends")
    assert spec is not None and spec.submodule_search_locations is not None
    folders = [Path(place) for place in spec.submodule_search_locations]
    names = sorted(path.parent.name for folder in folders for path in folder.glob("*/info.py"))
    return {name.replace("_", "-"): f"edgevit.backends.{name}.info:INFO" for name in names}


BACKENDS: Registry[BackendInfo] = Registry("edgevit.backends", _own)


def info_of(format: str) -> BackendInfo:
    if format not in BACKENDS:
        raise TargetError(
            f"no format is called `{format}`",
            where="format",
            why=f"there are {', '.join(BACKENDS)}",
            hint=suggest(format, BACKENDS) or "edgevit doctor lists them",
        )
    return BACKENDS[format]


def firmware_formats() -> tuple[str, ...]:
    return tuple(name for name, info in BACKENDS.items() if info.firmware)


def host_formats() -> tuple[str, ...]:
    """Return the formats whose artifacts run on this host."""
    return tuple(name for name, info in BACKENDS.items() if info.runs_here)


def host_suffixes() -> dict[str, str]:
    """Map the suffixes of artifacts that run on this host to their formats."""
    return {info.suffix: name for name, info in BACKENDS.items() if info.runs_here}


INT8 = "int8"  # a device whose facts name it takes every precision in integers


def is_integer(precision: str) -> bool:
    """Check for a precision that computes in integers, in whole or in part."""
    return not precision.startswith("fp")


def precisions() -> tuple[str, ...]:
    """Return every precision that some backend writes."""
    return tuple(sorted({p for info in BACKENDS.values() for p in info.precisions}))
