"""Job of a sweep and its result: one model for one target in one format and precision."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgevit import __version__
from edgevit.errors import EdgevitError, TargetError
from edgevit.support.backend_info import BACKENDS, firmware_formats, host_formats
from edgevit.support.shape import (
    Either,
    Flag,
    Listing,
    Null,
    Number,
    Table,
    Text,
    WholeNumber,
    require_shape,
)
from edgevit.support.strangers_text import read_json
from edgevit.targets import Target, load_target

JOBS = "jobs"


@dataclass(frozen=True)
class Job:
    model: str
    target: str
    format: str
    precision: str
    on: str  # runner address; empty: not measured
    options: tuple[str, ...] = ()  # model options, as command-line arguments
    rounds: int = 20

    @property
    def key(self) -> str:
        facts = {**self.as_dict(), "edgevit": __version__}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """Return the job as JSON types."""
        return {**asdict(self), "options": list(self.options)}

    @property
    def resources(self) -> dict[str, float]:
        """Dask resources that the job needs: its device, if it has one."""
        return {self.on: 1} if self.on else {}


@dataclass(frozen=True)
class Result:
    """Result of a job. None: unknown. `error`: reason of a failed job."""

    key: str
    job: dict[str, Any]
    passed: bool | None = None
    cosine: float | None = None
    bytes: int | None = None
    kind: str = ""  # how the figures were obtained: measured, emulated
    latency_ms: float | None = None
    spread: float | None = None
    instructions: int | None = None
    ram_bytes: int | None = None
    seconds: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    when: str = ""
    error: str = ""


_TEXT = Text(plain=False)
_FIGURE = Either((Number(), Null()))
_COUNT = Either((WholeNumber(0, 1 << 62), Null()))
_RESULT = Table(
    {
        **dict.fromkeys(("key", "kind", "device", "when", "error"), _TEXT),
        **dict.fromkeys(("cosine", "latency_ms", "spread", "seconds"), _FIGURE),
        **dict.fromkeys(("bytes", "instructions", "ram_bytes"), _COUNT),
        "job": Table(
            {
                **dict.fromkeys(("model", "target", "format", "precision", "on"), _TEXT),
                "options": Listing(_TEXT),
                "rounds": WholeNumber(1, 1 << 31),
            }
        ),
        "passed": Either((Flag(), Null())),
        "versions": Table(others=_TEXT),
    }
)


def jobs_of(
    models: Sequence[str],
    targets: Sequence[str],
    formats: Sequence[str] | None,
    precisions: Sequence[str] | None,
    on: str | None,
    options: Sequence[str],
    rounds: int,
) -> list[Job]:
    """Return the jobs in order, without duplicates.

    Formats and precisions that a target does not support are left out for it. A target that
    supports none of those requested is refused.
    """
    jobs: list[Job] = []
    for target in map(load_target, targets):
        name = target.name if target.family else str(target.file)
        taken = _taken("format", formats, target.formats, target)
        if precisions is not None:  # at least one, of one format
            offered = [word for format in taken for word in target.written(format)]
            _taken("precision", precisions, list(dict.fromkeys(offered)), target)
        for format in taken:
            for precision in _precisions(target, format, precisions):
                where = on if on is not None else _where(format)
                jobs += [
                    Job(model, name, format, precision, where, tuple(options), rounds)
                    for model in models
                ]
    return list(dict.fromkeys(jobs))


def _taken(
    what: str, asked: Sequence[str] | None, offered: Sequence[str], target: Target
) -> list[str]:
    if asked is None:
        return [next((o for o in offered if o in BACKENDS), offered[0])]
    words = [word for word in asked if word in offered]
    if not words:
        raise TargetError(
            f"{target.name} has none of the requested {what}s",
            where=", ".join(asked),
            why=f"it takes {', '.join(offered)}",
            hint=f"--{what}s {','.join(offered)}",
        )
    return words


def _precisions(target: Target, format: str, asked: Sequence[str] | None) -> list[str]:
    """Return the requested precisions that the format has, or its default without a request."""
    if asked is None:
        return [target.precision(None, format)]
    return [word for word in asked if word in target.written(format)]


def _where(format: str) -> str:
    """Return the local runner of a format for sweeps without `--on`, or an empty string."""
    if format in firmware_formats():
        return "emulator"
    return "local" if format in host_formats() else ""


def result_file(output: Path, key: str) -> Path:
    return output / JOBS / f"{key}.json"


def read_result(output: Path, key: str) -> Result | None:
    try:
        return result_of(read_json(result_file(output, key)))
    except (OSError, ValueError):
        return None


def result_of(values: Any) -> Result:
    """Parse a result from untrusted JSON. Raises `ShapeError`."""
    require_shape(values, _RESULT)
    return Result(**values)


def keep_result(output: Path, result: Result) -> Result:
    """Write a result to disk atomically. If there is one already, keep and return that."""
    path = result_file(output, result.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(json.dumps(asdict(result), indent=1) + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        first = read_result(output, result.key)
        if first is not None:
            return first
        os.replace(draft, path)  # the file there is damaged
        return result
    finally:
        draft.unlink(missing_ok=True)
    return result


def failed(job: Job, error: EdgevitError) -> Result:
    why = f"{error.message}: {error.why.splitlines()[0]}" if error.why else error.message
    return Result(job.key, job.as_dict(), passed=False, error=why)
