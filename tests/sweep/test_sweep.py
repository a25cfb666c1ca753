"""Sweeps: nothing lost and nothing done twice when a worker is killed, devices held by workers, what is left to read."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.errors import BackendRuntimeError, DeviceError, TargetError
from edgevit.sweep.cluster import run_jobs
from edgevit.sweep.job import JOBS, Job, Result, jobs_of, keep_result, read_result
from edgevit.sweep.show import MARKDOWN, PICTURE, table, write_sweep
from edgevit.sweep.work import LOG, do_job

pytest.importorskip("distributed", reason="pip install 'edgevit[sweep]'")


def job(number: int, on: str = "local") -> Job:
    return Job(f"net{number}", "linux-x86", "onnx", "fp32", on)


def nap(job: Job, output: Path) -> Result:
    time.sleep(0.05)
    return Result(job.key, job.as_dict(), passed=True, bytes=os.getpid())


def fail(job: Job, output: Path) -> Result:
    raise BackendRuntimeError("the runtime died", why="SIGSEGV\nand more")


def log(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / LOG).read_text().splitlines()]


def hang_once(job: Job, output: Path) -> Result:
    """The eleventh job never ends in the first worker that takes it."""
    mark = output / "hangs"
    if job.model == "net10" and not mark.exists():
        mark.write_text(str(os.getpid()))
        time.sleep(600)
    time.sleep(0.02)
    return Result(job.key, job.as_dict(), passed=True)


def kill_the_hanging(output: Path) -> None:
    while not (mark := output / "hangs").exists() or not mark.read_text():
        time.sleep(0.02)
    os.kill(int(mark.read_text()), signal.SIGKILL)


def test_a_killed_worker_loses_nothing_and_nothing_is_done_twice(tmp_path: Path) -> None:
    jobs = [job(number) for number in range(20)]
    killer = threading.Thread(target=kill_the_hanging, args=(tmp_path,), daemon=True)
    killer.start()
    found = run_jobs(jobs, tmp_path, workers=2, work=hang_once)
    killer.join(timeout=5)
    assert not killer.is_alive()
    assert list(found) == [job.key for job in jobs]
    assert all(result.passed for result in found.values())
    assert len(list((tmp_path / JOBS).glob("*.json"))) == 20
    ends = [line["key"] for line in log(tmp_path) if line["what"] == "end"]
    begins = [line["key"] for line in log(tmp_path) if line["what"] == "begin"]
    assert sorted(ends) == sorted(job.key for job in jobs)  # each once
    assert len(begins) == 21  # the one that was cut off, again

    again = run_jobs(jobs, tmp_path, workers=2, work=fail)
    assert again == found


@contextlib.contextmanager
def threads_holding(**resources: int) -> Iterator[str]:
    """A cluster of threads, which begins at once."""
    import distributed

    with distributed.LocalCluster(
        n_workers=1, processes=False, dashboard_address=None, resources=resources
    ) as cluster:
        yield cluster.scheduler_address


def test_an_error_is_a_result_and_is_tried_again(tmp_path: Path) -> None:
    jobs = [job(1), job(2)]
    seen: list[int] = []
    with threads_holding(local=1) as scheduler:
        found = run_jobs(
            jobs,
            tmp_path,
            scheduler=scheduler,
            work=fail,
            on_result=lambda _result, left: seen.append(left),
        )
        assert [result.error for result in found.values()] == ["the runtime died: SIGSEGV"] * 2
        assert seen == [1, 0]
        again = run_jobs(jobs, tmp_path, scheduler=scheduler, work=nap)
    assert all(result.passed for result in again.values())


def test_a_device_is_held_by_one_worker(tmp_path: Path) -> None:
    jobs = [job(number, on="adb:one") for number in range(4)]
    found = run_jobs(jobs, tmp_path, workers=2, work=nap)
    assert len({result.bytes for result in found.values()}) == 1  # the process that did it


def test_a_device_that_nobody_holds_is_an_error(tmp_path: Path) -> None:
    with (
        threads_holding(local=1) as scheduler,
        pytest.raises(DeviceError, match="no worker holds adb:two") as caught,
    ):
        run_jobs([job(1, on="adb:two")], tmp_path, scheduler=scheduler, work=nap)
    assert "the workers hold: local" in caught.value.why
    assert "--resources 'adb:two=1'" in caught.value.hint


def test_a_scheduler_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgevit.sweep.cluster._WAIT", 0.5)
    with pytest.raises(DeviceError, match="the scheduler does not answer"):
        run_jobs([job(1)], tmp_path, scheduler="tcp://127.0.0.1:9", work=nap)


def test_a_finished_job_is_not_begun_again(tmp_path: Path) -> None:
    first = do_job(job(1), tmp_path, nap)
    assert do_job(job(1), tmp_path, fail) == first
    other = keep_result(tmp_path, Result(job(1).key, {}, passed=False))
    assert other == first == read_result(tmp_path, job(1).key)


def test_a_damaged_result_is_done_again(tmp_path: Path) -> None:
    do_job(job(1), tmp_path, nap)
    (tmp_path / JOBS / f"{job(1).key}.json").write_text('{"key": "x"')
    assert do_job(job(1), tmp_path, nap).passed


def test_jobs_are_what_the_targets_take() -> None:
    jobs = jobs_of(["a", "b", "a"], ["linux-x86", "qemu-m4"], None, None, None, [], 20)
    assert [(j.model, j.target, j.format, j.on) for j in jobs] == [
        ("a", "linux-x86", "tflite", "local"),
        ("b", "linux-x86", "tflite", "local"),
        ("a", "qemu-m4", "mcu", "emulator"),
        ("b", "qemu-m4", "mcu", "emulator"),
    ]
    assert len({j.key for j in jobs}) == 4
    assert jobs_of(["a"], ["iphone"], None, None, None, [], 20)[0].resources == {}
    with pytest.raises(TargetError, match="has none of the requested formats"):
        jobs_of(["a"], ["qemu-m4"], ["onnx"], None, None, [], 20)


def test_the_table_and_the_picture(tmp_path: Path) -> None:
    def result(number: int, ms: float, size: int) -> Result:
        made = job(number)
        return Result(made.key, made.as_dict(), True, 1.0, size, "measured", ms, 0.01)

    wrong = Result("x", job(9).as_dict(), passed=False, error="it | died")
    results = [
        result(1, 2.0, 3_000_000),
        result(2, 1.0, 4_000_000),
        result(3, 2.5, 5_000_000),
        wrong,
    ]
    write_sweep(results, tmp_path, "edgevit sweep")
    rows = table(results)
    assert [row.startswith("| **") for row in rows[2:]] == [True, True, False, False]
    assert "2 ms, measured" in rows[2] and "1.0%" in rows[2] and "| error |" in rows[5]
    assert "it \\| died" in (tmp_path / MARKDOWN).read_text()
    drawn = ET.parse(tmp_path / PICTURE).getroot()
    circles = [e.get("class") for e in drawn.iter() if e.tag.endswith("circle")]
    assert sorted(filter(None, circles)) == ["best", "best", "other"]


def test_a_sweep_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tmp_path / "net<1>.py"
    net.write_text(
        "import torch\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Conv2d(3, 4, 3), (torch.randn(1, 3, 8, 8),)\n"
    )
    os.environ["EDGEVIT_STORE"] = str(tmp_path / "store.sqlite")
    try:
        words = ["sweep", "--models", f"{net}:build", "--targets", "linux-x86", "--formats", "onnx"]
        words += ["--rounds", "3", "--workers", "1", "-o", str(tmp_path / "s"), "--quiet", "--json"]
        assert main(words) == 0
    finally:
        del os.environ["EDGEVIT_STORE"]
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert result["kind"] == "measured" and result["latency_ms"] > 0 and result["cosine"] > 0.9999
    assert sorted(p.suffix for p in (tmp_path / "s" / JOBS).iterdir()) == [
        ".json"
    ]  # no artifacts left
    ET.parse(tmp_path / "s" / PICTURE)
