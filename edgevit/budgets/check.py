"""`edgevit check`: check an exported folder against budgets. An unknown figure is a failure."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edgevit.errors import EdgevitError, UsageError
from edgevit.exported import artifact_bytes, read_manifest, require_ours, require_untouched
from edgevit.graph.parity import is_run
from edgevit.measure import latest_latency, profile_here, run_firmware
from edgevit.support.backend_info import firmware_formats, host_formats
from edgevit.support.host import has_isa
from edgevit.support.notebook import Row, Shown
from edgevit.targets import load_target

Kind = Literal["measured", "emulated", "predicted", "exact"]


_RESOURCES = ("ram_bytes", "flash_bytes", "instructions", "cycles")


@dataclass(frozen=True)
class Budgets:
    """Upper bounds, and a lower bound of the cosine. None: not checked."""

    latency_seconds: float | None = None
    size_bytes: int | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    instructions: int | None = None
    min_cosine: float | None = None
    cycles: int | None = None

    def asked(self) -> dict[str, float]:
        return {name: limit for name, limit in asdict(self).items() if limit is not None}


@dataclass(frozen=True)
class Known:
    """A figure and how it was obtained, or None and how to obtain it."""

    figure: float | None
    kind: Kind | None
    how: str


@dataclass(frozen=True)
class Finding:
    """Result of one budget. `within` is False if the figure is unknown."""

    budget: str
    limit: float
    source: Known
    at_least: bool = False

    @property
    def status(self) -> str:
        figure = self.source.figure
        if figure is None:
            return "unknown"
        if self.at_least:
            return "ok" if figure >= self.limit else "under"
        return "ok" if figure <= self.limit else "over"

    @property
    def within(self) -> bool:
        return self.status == "ok"

    def as_dict(self) -> dict[str, object]:
        return {
            "budget": self.budget,
            "limit": self.limit,
            "found": self.source.figure,
            "kind": self.source.kind,
            "how": self.source.how,
            "status": self.status,
        }


@dataclass(frozen=True, repr=False)
class Check(Shown):
    """Result of a check. `passed`: every budget is kept, and every figure is known."""

    directory: Path
    title: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.within for finding in self.findings)

    def as_dict(self) -> dict[str, object]:
        return {
            "directory": str(self.directory),
            "title": self.title,
            "passed": self.passed,
            "budgets": [finding.as_dict() for finding in self.findings],
        }

    def _title(self) -> str:
        return self.title

    def _rows(self) -> Iterator[Row]:
        for finding in self.findings:
            figure = "unknown" if finding.source.figure is None else f"{finding.source.figure:,.6g}"
            bound = "at least" if finding.at_least else "at most"
            yield finding.budget, f"{finding.status}: {figure}, {bound} {finding.limit:,.6g}"


@dataclass(frozen=True)
class Here:
    """Settings of latency measurements on this machine.

    `stands_for_all`: the user accepts this machine's figure in place of the target's.
    """

    stands_for_all: bool = False
    threads: int = 0
    rounds: int = 20
    trust: bool = False  # run code that another user exported
    progress: Callable[[str], None] = lambda _: None


THERE = Here()


def check(directory: str | os.PathLike[str], budgets: Budgets, here: Here = THERE) -> Check:
    """Check an exported folder against budgets.

    Args:
        directory: an exported folder, or the result of `edgevit.export`.
        budgets: the bounds. Those that are None are not checked.
        here: how a latency is measured on this machine.

    Returns:
        The `Check`, with a finding for each budget. An exceeded budget is a finding, no error.

    Raises:
        EdgevitError: the folder is damaged, or no budget is given.

    Example:
        edgevit.check("out/net-iphone", edgevit.Budgets(size_bytes=4_000_000)).passed
    """
    folder = Path(directory)
    manifest = read_manifest(folder)
    require_untouched(folder, manifest)
    asked = budgets.asked()
    if not asked:
        raise UsageError(
            "no budget is given",
            where=str(folder),
            why="there is nothing to hold it against",
            hint="--max-latency, --max-size, --max-ram, --min-cosine, ...",
        )
    findings = [Finding("parity", 1, _parity(manifest), at_least=True)]
    findings += _findings(folder, manifest, asked, here)
    title = f"{manifest['model']['name']} for {manifest['target']}, {manifest['format']} {manifest['precision']}"
    return Check(folder, title, tuple(findings))


def _findings(
    folder: Path, manifest: dict[str, Any], asked: Mapping[str, float], here: Here
) -> Iterator[Finding]:
    firmware = set(_RESOURCES) & set(asked)
    emulated = _resources(folder, manifest, here) if firmware else {}
    for name, limit in asked.items():
        if name == "latency_seconds":
            yield Finding(name, limit, _latency(folder, manifest, here))
        elif name == "size_bytes":
            yield Finding(name, limit, _size(manifest))
        elif name == "min_cosine":
            yield Finding(name, limit, _cosine(manifest), at_least=True)
        else:
            yield Finding(name, limit, emulated[name])


def _parity(manifest: dict[str, Any]) -> Known:
    stages = ", ".join(f"{p['stage']} {p['precision']}" for p in manifest["parity"])
    return Known(float(bool(manifest["passed"])), "exact", f"at export: {stages}")


def _size(manifest: dict[str, Any]) -> Known:
    if manifest["format"] in firmware_formats():
        return Known(None, None, "firmware is linked on the board: --max-flash")
    return Known(artifact_bytes(manifest), "exact", "bytes of what goes to the device")


def _cosine(manifest: dict[str, Any]) -> Known:
    """Return the lowest cosine of all stages, unknown if a stage left outputs unchecked."""
    unchecked = [what for entry in manifest["parity"] for what in entry["unchecked"]]
    values = [entry["cosine"] for entry in manifest["parity"]]
    if unchecked or None in values or not values:
        why = unchecked[0] if unchecked else "an output is not finite"
        return Known(None, None, f"{why}; then export again")
    lowest = min(manifest["parity"], key=lambda entry: entry["cosine"])
    ran = is_run(lowest["stage"]) or lowest["stage"] in {"rewritten", "captured"}
    kind: Kind = "measured" if ran else "emulated"
    return Known(lowest["cosine"], kind, f"{lowest['stage']} {lowest['precision']}, at export")


def _resources(folder: Path, manifest: dict[str, Any], here: Here) -> dict[str, Known]:
    """Return what the artifact needs of a device: emulated, or as its compiler predicts."""
    if "predicted" in manifest:
        return _predicted(manifest)
    if manifest["format"] not in firmware_formats():
        why = f"a {manifest['format']} artifact decides that on the device: export for a microcontroller"
        return dict.fromkeys(_RESOURCES, Known(None, None, why))
    cycles = Known(None, None, "an emulator counts no cycles: --max-instructions")
    return _emulated(folder, manifest, here) | {"cycles": cycles}


def _predicted(manifest: dict[str, Any]) -> dict[str, Known]:
    figures = manifest["predicted"]
    how = f"by {figures['by']}'s model of the chip"
    unknown = Known(None, None, f"{figures['by']} predicts none: --max-cycles")
    return {
        "ram_bytes": Known(figures["ram_bytes"], "predicted", how),
        "flash_bytes": Known(artifact_bytes(manifest), "exact", "bytes of what goes to the device"),
        "instructions": unknown,
        "cycles": Known(figures["cycles"], "predicted", how),
    }


def _emulated(folder: Path, manifest: dict[str, Any], here: Here) -> dict[str, Known]:
    names = ("ram_bytes", "flash_bytes", "instructions")
    require_ours(folder, manifest, here.trust)
    try:
        ran = run_firmware(folder, None, "zig", None, trust=here.trust)
    except EdgevitError as error:
        why = f"{error.message}: {error.hint or error.why}"
        return dict.fromkeys(names, Known(None, None, why))
    if not ran.golden_match:
        why = f"the firmware is not its integer model: edgevit run {folder}"
        return dict.fromkeys(names, Known(None, None, why))
    how = f"core {ran.core}, {ran.emulator}, {ran.toolchain}"
    figures = (ran.memory.ram, ran.memory.flash, ran.instructions)
    return {name: Known(x, "emulated", how) for name, x in zip(names, figures, strict=True)}


def _latency(folder: Path, manifest: dict[str, Any], here: Here) -> Known:
    if manifest["format"] in firmware_formats():
        return Known(None, None, "a core is not timed by an emulator: --max-instructions")
    runs_here = manifest["format"] in host_formats()
    if not (runs_here and (here.stands_for_all or _is_of_this_kind(manifest["target"]))):
        return _elsewhere(folder, manifest, runs_here)
    how = {"threads": here.threads, "rounds": here.rounds, "trust": here.trust}
    profile = profile_here([folder], **how, progress=here.progress)
    latency = profile.measured[0].latency
    how = f"{latency.low * 1e3:.3g} to {latency.high * 1e3:.3g} ms, {profile.threads} threads, {profile.host}"
    return Known(latency.median, "measured", how)


def _elsewhere(folder: Path, manifest: dict[str, Any], runs_here: bool) -> Known:
    """Return the newest stored latency of this very artifact on any device but this machine."""
    row = latest_latency(folder, manifest, elsewhere=True)
    if row is not None:
        where = f"{row.device['address']}: {row.device.get('cpu', '')}"
        return Known(row.value, "measured", f"on {where}, {row.at}")
    why = f"this machine is no {manifest['target']}, and the store has no figure of another device: edgevit profile {folder} --on ..."
    return Known(None, None, why + (", or --here to let this machine's count" if runs_here else ""))


def _is_of_this_kind(target: str) -> bool:
    """Return True if this machine is of the target's kind.

    A target without a SoC covers every machine of its operating system and instruction set.
    """
    try:
        facts = load_target(target)
    except EdgevitError:
        return False
    of_system = facts.os is not None and facts.os.name == {"Darwin": "macOS"}.get(
        platform.system(), platform.system()
    )
    return facts.soc is None and of_system and has_isa(facts.isa)
