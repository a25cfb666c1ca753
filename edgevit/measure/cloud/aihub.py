"""`aihub:DEVICE[?options]`: a phone or board at Qualcomm AI Hub, by Qualcomm's own client.

The client runs in a process of its own, since it needs an older protobuf than the converters do:
`python=` is the interpreter that has it. `os=` selects one of several versions, `options=` goes to
the job, `inputs=random` sends no inputs. The token is the client's; it is never read here.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from edgevit.backends import OpTime
from edgevit.errors import (
    BackendRuntimeError,
    DeviceError,
    EdgevitError,
    MissingToolError,
    UsageError,
    suggest,
)
from edgevit.measure.cloud import aihub_main
from edgevit.measure.cloud.runner import CloudRunner
from edgevit.measure.cloud.service import CloudDevice, CloudRun
from edgevit.support.shape import Anything, Listing, Number, Table, Text, require_shape

_TITLE = "Qualcomm AI Hub"
_OPTIONS = ("python", "os", "options", "inputs")
_ASKING = 120.0  # seconds for a question that starts no job
_SPARE = 60.0  # seconds beyond the limit, for the client to upload, fetch and end
_INSTALL = "python3 -m venv aihub; aihub/bin/pip install qai-hub; --on 'aihub:DEVICE?python=aihub/bin/python'"  # fmt: skip
_MICROSECONDS = Number(0, 1e12)
_PROFILE = Table(
    {
        "execution_summary": Table(
            {
                "estimated_inference_time": _MICROSECONDS,
                "all_inference_times": Listing(_MICROSECONDS),
                "inference_memory_peak_range": Anything(),
            },
            optional=("all_inference_times", "inference_memory_peak_range"),
            others=Anything(),
        ),
        "execution_detail": Listing(
            Table(
                {"name": Text(), "type": Text(), "compute_unit": Text(), "execution_time": _MICROSECONDS},
                optional=("execution_time",),
                others=Anything(),
            )
        ),
    },
    others=Anything(),
)  # fmt: skip


def open_runner(address: str) -> CloudRunner:
    place, _, query = address.partition("?")
    name = place.removeprefix("aihub").removeprefix(":").strip("\"' ")
    options = dict(parse_qsl(query))
    for option in options:
        if option not in _OPTIONS:
            raise UsageError(
                f"`{address}` has an option that is not known",
                where="--on",
                why="it is one of " + ", ".join(_OPTIONS),
                hint=suggest(option, _OPTIONS) or "aihub:DEVICE?python=/path/to/python",
            )
    if options.get("inputs", "random") != "random":
        raise UsageError("inputs= is `random`", where="--on", why="else they are the golden ones", hint="leave inputs= out")  # fmt: skip
    if not name:
        raise UsageError("which device?", where="--on", why=f"{_TITLE} has many", hint='--on "aihub:Samsung Galaxy S24"')  # fmt: skip
    return CloudRunner(address, AiHub(name, options))


class AiHub:
    title = _TITLE
    suffixes: tuple[str, ...] = (".tflite", ".onnx", ".mlpackage", ".mlmodelc")

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        self._name, self._options = name, options
        self._python = options.get("python", sys.executable)

    def device(self) -> CloudDevice:
        asked = {"asks": "device", "device": self._name, "os": self._options.get("os", "")}
        with contextlib.closing(Client(self._python, asked, self._where)) as client:
            answer = client.answer("device", _ASKING)
        facts = {name: str(answer.get(name, "")) for name in ("name", "os", "chip", "client")}
        return CloudDevice(facts["name"], facts["os"], facts["chip"], {"qai-hub": facts["client"]})

    def upload(self, artifact: Path, inputs: dict[str, np.ndarray] | None) -> AiHubJob:
        if "inputs" in self._options:
            inputs = None
        asked = {
            "asks": "job",
            "device": self._name,
            "os": self._options.get("os", ""),
            "options": self._options.get("options", ""),
            "artifact": str(artifact.absolute()),
        }
        return AiHubJob(self._python, asked, inputs, self._where)

    def key(self) -> dict[str, object]:
        return {name: self._options.get(name, "") for name in ("os", "options", "inputs")}

    @property
    def _where(self) -> str:
        return f"aihub:{self._name}"


class AiHubJob:
    def __init__(
        self,
        python: str,
        asked: dict[str, Any],
        inputs: dict[str, np.ndarray] | None,
        where: str,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="edgevit-aihub-"))
        self._has_inputs = inputs is not None
        self._profile: dict[str, Any] = {}
        try:
            if inputs is not None:
                np.savez(self._folder / "inputs.npz", *inputs.values())
            names = None if inputs is None else list(inputs)
            self._asked = {**asked, "names": names, "folder": str(self._folder)}
            self._python, self._where = python, where
            self._client: Client | None = None
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def wait(self, limit: float, progress: Callable[[str], None]) -> None:
        progress("upload")
        self._client = Client(self._python, {**self._asked, "limit": limit}, self._where)
        self._profile = self._client.answer("profile", limit + _SPARE, progress)

    def results(self) -> CloudRun:
        profile = self._profile.get("profile")
        try:
            require_shape(profile, _PROFILE)
        except ValueError as error:
            raise _odd(self._where, str(error)) from error
        assert isinstance(profile, dict)
        summary = profile["execution_summary"]
        times = summary.get("all_inference_times") or [summary["estimated_inference_time"]]
        layers = tuple(_layer(entry) for entry in profile["execution_detail"])
        return CloudRun(
            tuple(time / 1e6 for time in times),
            layers,
            _range(summary.get("inference_memory_peak_range")),
            self._outputs(),
            str(self._profile.get("url", "")),
        )

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _outputs(self) -> tuple[np.ndarray, ...] | None:
        if not self._has_inputs:
            return None
        try:
            with np.load(self._folder / "outputs.npz", allow_pickle=False) as file:
                return tuple(file[f"arr_{index}"] for index in range(len(file.files)))
        except (OSError, ValueError, KeyError) as error:
            raise _odd(self._where, f"the job gave no outputs: {error}") from error


class Client:
    """The client's process: one question, a line a state, one answer."""

    def __init__(self, python: str, asked: dict[str, Any], where: str) -> None:
        self._where = where
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [python, str(Path(aihub_main.__file__).absolute())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
                errors="replace",
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )
        except OSError as error:
            self._said.close()
            raise UsageError(f"{python} cannot be run", where="python=", why=error.strerror or str(error), hint=_INSTALL) from error  # fmt: skip
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        with contextlib.suppress(OSError):  # it has died: its last words say why
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asked))
            self._process.stdin.close()

    def answer(
        self, kind: str, limit: float, progress: Callable[[str], None] = lambda _: None
    ) -> dict[str, Any]:
        """Return the answer of a kind. Raises the error that the client reports."""
        for event in self._events(time.monotonic() + limit):
            if event.get("kind") == "state":
                progress(str(event.get("text", "")))
            elif event.get("kind") == kind:
                return event
            else:
                raise _error(event, self._where)
        raise _odd(self._where, self._last_words())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._said.close()

    def _events(self, deadline: float) -> Iterator[dict[str, Any]]:
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise _error({"kind": "slow", "text": "the client does not answer"}, self._where) from None  # fmt: skip
            if line is None:
                return
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    yield event

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = [line.strip() for line in self._said.read()[-2000:].splitlines() if line.strip()]
        return lines[-1] if lines else f"it ended with {self._process.wait()} and said nothing"


def _error(event: Mapping[str, Any], where: str) -> EdgevitError:
    why = str(event.get("text", "")).strip()
    match event.get("kind"):
        case "missing":
            return MissingToolError("Qualcomm AI Hub's client is not installed", where=where, why=why, hint=_INSTALL)  # fmt: skip
        case "token":
            return DeviceError(
                f"{_TITLE} does not know you",
                where=where,
                why=why,
                hint="`qai-hub configure --api_token TOKEN`, with the token of your account's page",
            )
        case "unknown":
            names = [str(name) for name in event.get("names", ())]
            name = where.partition(":")[2]
            near = suggest(name, names) or ", ".join(names[:5])
            return DeviceError(f"{_TITLE} has no `{name}`", where=where, why=why, hint=near or "`qai-hub list-devices`")  # fmt: skip
        case "failed":
            return DeviceError(f"the job failed at {_TITLE}", where=str(event.get("url") or where), why=why, hint="the job's page has its log")  # fmt: skip
        case "refused":
            return DeviceError(f"{_TITLE} refuses the job", where=where, why=why, hint="?inputs=random sends no inputs; ?options= are the job's")  # fmt: skip
        case "slow":
            return DeviceError(
                f"the job at {_TITLE} takes too long",
                where=str(event.get("url") or where),
                why=why,
                hint="--limit gives it longer; the job goes on there",
                retryable=True,
            )
        case "busy":
            return DeviceError(f"{_TITLE} takes no more jobs of yours now", where=where, why=why, hint="wait for those that run", retryable=True)  # fmt: skip
        case "offline":
            return DeviceError(f"{_TITLE} cannot be reached", where=where, why=why, hint="is this machine online?", retryable=True)  # fmt: skip
    return _odd(where, why)


def _odd(where: str, why: str) -> BackendRuntimeError:
    return BackendRuntimeError(
        "the client of Qualcomm AI Hub gave no answer that is known",
        where=where,
        why=why or "it said nothing",
        hint="`qai-hub list-devices` tells whether it works; it was qai-hub 0.56 that this was written for",
    )


def _layer(entry: Mapping[str, Any]) -> OpTime:
    seconds = entry.get("execution_time", 0) / 1e6
    return OpTime(entry["type"], entry["name"], entry["compute_unit"], seconds)


def _range(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = value
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None
