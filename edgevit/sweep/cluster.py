"""Job scheduling by Dask: devices are worker resources, a job goes to a worker with its device."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevit import __version__
from edgevit.errors import BackendRuntimeError, DeviceError, EdgevitError, MissingToolError
from edgevit.sweep.job import Job, Result, failed, keep_result, read_result, result_file
from edgevit.sweep.work import Work, do_job, export_and_measure

# Devices that every worker here offers: emulators are programs, and a lock serialises local timing.
EVERYWHERE = ("local", "emulator")
_WAIT = 30.0  # seconds for a scheduler to answer


def run_jobs(
    jobs: Sequence[Job],
    output: Path,
    *,
    scheduler: str | None = None,
    workers: int = 2,
    work: Work = export_and_measure,
    on_result: Callable[[Result, int], None] = lambda _result, _left: None,
) -> dict[str, Result]:
    """Run the jobs and return the results by job key.

    Results of an earlier run on disk are reused, except errors. Each result is written to disk
    before it counts. `on_result` is called with it and the number of jobs left.
    """
    results = {job.key: finished for job in jobs if (finished := _known(output, job))}
    todo = {job.key: job for job in jobs if job.key not in results}
    if not todo:
        return results
    devices = {name for job in todo.values() for name in job.resources}
    with _client(scheduler, min(workers, len(todo)), devices) as client:
        _require_held(client, devices)
        futures = {
            client.submit(
                do_job, job, output.absolute(), work,
                key=f"edgevit-{key}", resources=job.resources, pure=False,
            ): job
            for key, job in todo.items()
        }  # fmt: skip
        for future in _distributed().as_completed(list(futures)):
            job = futures[future]
            result = _landed(future, job)
            keep_result(output, result)  # for a worker that died or has another disk
            results[job.key] = result
            on_result(result, len(jobs) - len(results))
    return {job.key: results[job.key] for job in jobs}


def _known(output: Path, job: Job) -> Result | None:
    result = read_result(output, job.key)
    if result is not None and result.error:
        result_file(output, job.key).unlink(missing_ok=True)
        return None
    return result


def _landed(future: Any, job: Job) -> Result:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, EdgevitError):
        return failed(job, error)
    died = BackendRuntimeError("no worker could end it", why=f"{type(error).__name__}: {error}")
    return failed(job, died)


@contextlib.contextmanager
def _client(scheduler: str | None, workers: int, devices: set[str]) -> Iterator[Any]:
    distributed = _distributed()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        try:
            address = scheduler or stack.enter_context(_cluster(distributed, workers, devices))
            client = stack.enter_context(distributed.Client(address, timeout=_WAIT))
        except OSError as error:
            raise DeviceError(
                "the scheduler does not answer",
                where=str(scheduler),
                why=str(error),
                hint="dask scheduler; then dask worker ADDRESS --nthreads 1 --resources 'local=1'",
            ) from error
        if scheduler is not None:
            _require_same_version(client)
        yield client


def _cluster(distributed: Any, workers: int, devices: set[str]) -> Any:
    """Start local worker processes. Only one of them offers devices other than this machine."""
    # Workers start by `python -c`, which imports from the current directory.
    os.environ["PYTHONSAFEPATH"] = "1"
    spec = {}
    for number in range(workers):
        resources = {name: 1 for name in devices if name in EVERYWHERE or number == 0}
        options = {
            "nthreads": 1,
            "resources": resources,
            "memory_limit": 0,
            "dashboard_address": None,
        }
        spec[number] = {
            "cls": distributed.Nanny,
            "options": {**options, "silence_logs": logging.CRITICAL},
        }
    scheduler = {"dashboard": False, "port": 0, "host": "127.0.0.1"}
    return distributed.SpecCluster(
        workers=spec,
        scheduler={"cls": distributed.Scheduler, "options": scheduler},
        silence_logs=logging.CRITICAL,
    )


def _require_held(client: Any, devices: set[str]) -> None:
    """Refuse devices that no worker offers, for which Dask would wait for ever."""
    client.wait_for_workers(1, timeout=_WAIT)
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    available: set[str] = {name for worker in workers for name in worker.get("resources", {})}
    if missing := sorted(devices - available):
        raise DeviceError(
            f"no worker holds {', '.join(missing)}",
            why=f"the workers hold: {', '.join(sorted(available)) or 'nothing'}",
            hint=f"dask worker ADDRESS --nthreads 1 --resources '{missing[0]}=1'",
        )


def _require_same_version(client: Any) -> None:
    versions: Mapping[str, str] = client.run(_version)
    other = {address: version for address, version in versions.items() if version != __version__}
    if other:
        raise DeviceError(
            "a worker has another edgevit",
            where=", ".join(other),
            why=f"it has {next(iter(other.values()))}, here is {__version__}",
            hint="install the same on all",
        )


def _version() -> str:
    import edgevit

    return edgevit.__version__


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "dask's distributed is not installed",
            why=str(error),
            hint="pip install 'edgevit[sweep]'",
        ) from error
    return distributed
