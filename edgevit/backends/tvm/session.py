"""Session of a library in TVM's virtual machine."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.session import Arrays, OpTime, TensorSpec, load_library
from edgevit.errors import PackageError

_BESIDE = ".json"
_ELF = b"\x7fELF"
_MACHINES = {0x3E: "x86_64", 0xB7: "aarch64"}  # e_machine of the ELF header


def open_session(path: Path, threads: int) -> TvmSession:
    return TvmSession(path, threads)


class TvmSession:
    def __init__(self, path: Path, threads: int) -> None:
        os.environ["TVM_NUM_THREADS"] = str(max(threads, 1))  # read when the first kernel runs
        self._tvm = load_library("tvm", "tvm")
        _require_runs_here(path)
        self.inputs, self.outputs = specs(path)
        self._relax = load_library("tvm.relax", "tvm")
        try:
            with tempfile.TemporaryDirectory(prefix="edgevit-") as folder:
                # The loader knows a library by its path: one written anew would be taken for the old one.
                copy = shutil.copy(path, folder)
                self._module = self._tvm.runtime.load_module(str(copy))
            self._machine = self._relax.VirtualMachine(self._module, self._tvm.cpu())
            self._main = self._machine["main"]
        except Exception as error:
            raise _unsound(path, str(error)) from error

    def run(self, arrays: Arrays) -> list[Any]:
        result = self._main(*(self._tvm.runtime.tensor(a) for a in arrays))
        return [tensor.numpy() for tensor in flat(result)]

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """Return the time of each call, by the machine's own hook around every call."""
        clock = _Clock()
        self._machine.set_instrument(clock)
        try:
            self.run(arrays)  # the first run allocates
            clock.spent.clear()
            for _ in range(repeats):
                clock.position = 0
                self.run(arrays)
        finally:
            self._machine.set_instrument(lambda *_: 0)
        return tuple(
            OpTime(name, f"#{position}", "compiled", seconds / repeats)
            for (position, name), seconds in clock.spent.items()
        )


class _Clock:
    """Timer that is called before and after each kernel call.

    Calls that only move values (`vm.builtin`) are not counted.
    """

    def __init__(self) -> None:
        self.position = 0
        self.spent: dict[tuple[int, str], float] = {}
        self._started = 0.0

    def __call__(self, function: Any, name: str, before: bool, result: Any, *_: Any) -> int:
        if str(name).startswith("vm.builtin."):
            return 0
        if before:
            self._started = time.perf_counter()
            return 0
        key = self.position, str(name)
        self.spent[key] = self.spent.get(key, 0.0) + time.perf_counter() - self._started
        self.position += 1
        return 0


def flat(result: Any) -> list[Any]:
    return [result] if hasattr(result, "numpy") else [x for part in result for x in flat(part)]


def _require_runs_here(path: Path) -> None:
    import platform

    with path.open("rb") as library:
        head = library.read(20)
    if head[:4] != _ELF or len(head) < 20:
        raise _unsound(path, f"{path.stat().st_size} bytes, and not an ELF library")
    machine = _MACHINES.get(int.from_bytes(head[18:20], "little"), "another machine")
    if machine != platform.machine():
        raise PackageError(
            f"{path.name} is a library for {machine}",
            where=str(path),
            why=f"this machine is {platform.machine()}",
            hint="run it on the board: run.py beside it does",
        )


def specs(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    beside = path.with_name(path.name + _BESIDE)
    try:
        facts = json.loads(beside.read_text())
        inputs, outputs = (
            tuple(TensorSpec(s["name"], tuple(s["shape"]), s["dtype"]) for s in facts[side])
            for side in ("inputs", "outputs")
        )
        for spec in (*inputs, *outputs):
            np.dtype(spec.dtype)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackageError(
            "what the library takes is not known",
            where=str(beside),
            why=f"{type(error).__name__}: {error}",
            hint=f"keep {beside.name} beside the library",
        ) from error
    return inputs, outputs


def _unsound(path: Path, why: str) -> PackageError:
    return PackageError(
        "TVM does not take this file",
        where=str(path),
        why=why.strip().splitlines()[-1][:400] if why.strip() else "it cannot be loaded",
        hint="the file is damaged or not a library of TVM's: export it again",
    )
