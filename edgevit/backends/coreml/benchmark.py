"""Timing of a package by coremltools' `MLModelBenchmarker`.

It runs on a Mac, or on an iPhone that is connected to it. Inputs are coremltools' own random ones;
outputs are not compared.
"""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Any

from edgevit.backends.session import OpTime
from edgevit.errors import BackendRuntimeError, DeviceError

_EXPERIMENTAL = "coremltools.models.ml_program.experimental"


def connected_phone(name: str) -> Any:
    """Return the connected iPhone of this name or identifier; the first one without a name."""
    remote = importlib.import_module(f"{_EXPERIMENTAL}.remote_device")
    phones = remote.Device.get_connected_devices(remote.DeviceType.IPHONE)
    chosen = [phone for phone in phones if not name or name in {phone.name, phone.udid}]
    if not chosen:
        raise DeviceError(
            f"no iPhone called `{name}` is connected" if name else "no iPhone is connected",
            why="connected: " + (", ".join(phone.name for phone in phones) or "none"),
            hint="connect it by cable, unlock it, and turn its developer mode on",
        )
    return chosen[0]


class OpenedPackage:
    def __init__(self, package: Path, phone: str | None, limit: float) -> None:
        self.threads = 1  # Core ML chooses its own
        self.notes: tuple[str, ...] = ("inputs are random, outputs are not compared",)
        self._name, self._limit = package.name, limit
        self._loop = asyncio.new_event_loop()
        try:
            device = None
            if phone is not None:
                device = self._done(connected_phone(phone).prepare_for_model_debugging())
            tool = importlib.import_module("coremltools")
            perf = importlib.import_module(f"{_EXPERIMENTAL}.perf_utils")
            self._benchmarker = perf.MLModelBenchmarker(tool.models.MLModel(str(package)), device)
        except BaseException:
            self.close()
            raise

    def seconds(self, runs: int) -> list[float]:
        measured = self._done(self._benchmarker.benchmark_predict(iterations=runs))
        return [milliseconds * 1e-3 for milliseconds in measured.samples]

    def op_times(self, repeats: int) -> tuple[OpTime, ...]:
        raise BackendRuntimeError(
            "no table of ops", why="`edgevit export` predicts each op's unit instead"
        )

    def close(self) -> None:
        self._loop.close()

    def _done(self, work: Any) -> Any:
        try:
            return self._loop.run_until_complete(asyncio.wait_for(work, self._limit))
        except TimeoutError as error:
            raise BackendRuntimeError(
                f"{self._name} hangs", why=f"no answer in {self._limit:g} s", hint="--limit"
            ) from error
        except Exception as error:  # its errors have no common base
            raise BackendRuntimeError(
                f"Core ML cannot run {self._name}", why=f"{type(error).__name__}: {error}"[:400]
            ) from error
