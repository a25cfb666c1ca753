"""Worker side of a job: export in a child process, measure on the device, store the result."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgevit.errors import EdgevitError
from edgevit.export import exclusive_machine_lock, export_apart
from edgevit.exported import remove
from edgevit.sweep.job import JOBS, Job, Result, failed, keep_result, read_result

Work = Callable[[Job, Path], Result]
LOG = "log.jsonl"


def do_job(job: Job, output: Path, work: Work) -> Result:
    """Run a job and store its result, or return the stored one."""
    stored = read_result(output, job.key)
    if stored is not None:
        return stored
    _log(output, "begin", job)
    result = keep_result(output, work(job, output))
    _log(output, "end", job)
    return result


def export_and_measure(job: Job, output: Path) -> Result:
    started = time.monotonic()
    folder = output / JOBS / f"{job.key}-{os.getpid()}"
    try:
        result = _exported(job, folder)
        if job.on and result.passed:
            result = _measured(job, folder, result)
    except EdgevitError as error:
        result = failed(job, error)
    finally:
        if folder.exists():
            remove(folder)
    return replace(result, seconds=round(time.monotonic() - started, 1))


def _exported(job: Job, folder: Path) -> Result:
    words = [
        job.model,
        "--target",
        job.target,
        "--format",
        job.format,
        "--precision",
        job.precision,
    ]
    said = export_apart([*words, "-o", str(folder), *job.options])
    saved = [p for p in said["parity"] if p["stage"] not in {"rewritten", "captured"}]
    cosines = [p["cosine"] for p in saved]
    return Result(
        job.key,
        job.as_dict(),
        passed=said["passed"],
        cosine=min(cosines) if cosines and None not in cosines else None,
        bytes=_bytes(said),
        versions=said["versions"],
    )


def _bytes(manifest: dict[str, Any]) -> int:
    from edgevit.exported import artifact_bytes

    return artifact_bytes(manifest)


def _measured(job: Job, folder: Path, result: Result) -> Result:
    from edgevit.measure import Settings, measured, open_runner, open_store

    runner = open_runner(job.on)
    with open_store() as store, exclusive_machine_lock():
        session = measured([folder], runner, Settings(rounds=job.rounds), store)
    one = session.figures[0]
    if one.error is not None:
        raise one.error
    more: dict[str, Any] = {"kind": one.kind, "device": str(session.device.cpu), "when": one.when}
    if one.memory is not None:
        more |= {"instructions": int(one.latency.median), "ram_bytes": one.memory.ram}
        more |= {"passed": bool(one.golden_match)}
    else:
        more |= {"latency_ms": one.latency.median * 1e3, "spread": one.latency.spread}
    return replace(result, **more)


def _log(output: Path, what: str, job: Job) -> None:
    """Append a line to the log by one write: several workers share the file."""
    line = json.dumps({"what": what, "key": job.key, "worker": os.getpid(), "at": time.time()})
    (output / JOBS).mkdir(parents=True, exist_ok=True)
    with (output / LOG).open("a") as file:
        file.write(line + "\n")
