"""QEMU in a process of its own, with a counting plugin; no other emulator has the Cortex-M55.

The process runs in a folder of its own, where the plugin's plan and results lie. Host requests of
the program are answered here (`gdb.py`): it reaches no file and no command of this machine.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgevit.backends.mcu.cores import Core, QemuBoard
from edgevit.backends.mcu.emulator.gdb import Debugger
from edgevit.backends.mcu.emulator.plugin import plugin
from edgevit.backends.mcu.emulator.run import (
    MAIN,
    REPORTS,
    SECONDS,
    EmulatedRun,
    EmulatorJob,
    Touched,
    concluded,
    died,
    job,
)
from edgevit.errors import BackendRuntimeError, MissingToolError

_PACKAGES = {"qemu-system-arm": "qemu-system-arm", "qemu-system-riscv32": "qemu-system-misc"}
_ENDING = 30.0  # seconds to write what the plugin counted
_PC = re.compile(r"(?:R15=|\bpc\s+)([0-9a-f]{8})")
_OLDEST, _NEWEST = (6, 1), (8, 2)  # QEMU with the plugin interface that we declare


@dataclass(frozen=True)
class Qemu:
    cache: Path  # the compiled plugin is kept here
    name: str = "qemu"

    def version(self, core: Core) -> str:
        return _version(_program(_machine(core)))

    def run(
        self,
        elf: Path,
        core: Core,
        *,
        inputs: Mapping[str, bytes] | None = None,
        regions: Sequence[str] = (),
        touch: bool = False,
        profile: bool = False,
        seconds: float = SECONDS,
    ) -> EmulatedRun:
        version = self.version(core)
        task = job(elf, core, inputs or {}, regions, touch, profile, seconds)
        with tempfile.TemporaryDirectory(prefix="edgevit-") as name:
            folder = Path(name)
            (folder / "plan").write_text(_plan(task))
            written = _execute(_command(task, plugin(self.cache), folder), task, version, folder)
            return _found(task, version, folder, written)


def _machine(core: Core) -> QemuBoard:
    if core.machine is None:
        raise BackendRuntimeError(
            f"QEMU has no board with a {core.title} and enough memory",
            hint="the emulator `unicorn`",
        )
    return core.machine


def _program(machine: QemuBoard) -> str:
    path = shutil.which(machine.program)
    if path is None:
        raise MissingToolError(
            f"{machine.program} is not installed",
            why="it emulates the core",
            hint=f"apt-get install {_PACKAGES[machine.program]}",
        )
    return path


@cache
def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    match = re.search(r"version ((\d+)\.(\d+)\.\d+)", said)
    numbers = (int(match[2]), int(match[3])) if match else (0, 0)
    if not _OLDEST <= numbers <= _NEWEST:
        raise MissingToolError(
            f"QEMU {match[1] if match else said.strip()} cannot count instructions for us",
            why="the plugin is written for QEMU 6.1 to 8.2, whose interface newer ones dropped",
            hint="QEMU 7.2, as in Debian 12",
        )
    return f"{Path(program).name} {match[1] if match else ''}"


def _plan(task: EmulatorJob) -> str:
    lines = [f"start {task.start}"]
    lines += [f"entry {address}" for address in task.entries]
    if task.profile:
        lines.append("profile 1")
    if task.touch:
        memory = task.core.memory
        lines.append(f"ram {memory.ram_base} {memory.ram_size}")
    return "\n".join(lines) + "\n"


def _command(task: EmulatorJob, library: Path, folder: Path) -> list[str]:
    machine = _machine(task.core)
    words = [_program(machine), "-M", machine.name]
    words += ["-cpu", machine.cpu] if machine.cpu else []
    words += [] if task.core.is_arm else ["-bios", "none"]
    words += ["-display", "none", "-serial", "none", "-nic", "none", "-monitor", "stdio"]
    words += ["-semihosting-config", "enable=on,target=gdb", "-S"]
    words += ["-kernel", str(task.elf.path.resolve()), "-plugin", str(library.resolve())]
    for index, poke in enumerate(task.pokes):
        (folder / f"input{index}").write_bytes(poke.data)
        where = f"file=input{index},addr={poke.address:#x},force-raw=on"
        words += ["-device", f"loader,{where}"]
    return words


def _execute(
    command: list[str], task: EmulatorJob, version: str, folder: Path
) -> Mapping[str, bytes | bytearray]:
    """Run QEMU and return what the program reported, by file."""
    ours, theirs = socket.socketpair()
    link = ["-chardev", f"socket,id=gdb,fd={theirs.fileno()}", "-gdb", "chardev:gdb"]
    with ours, (folder / "said").open("wb") as said:
        with theirs:
            process = subprocess.Popen(
                [*command, *link],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
            )
        debugger = Debugger(ours, REPORTS)
        try:
            if not debugger.serve(task.seconds):
                raise subprocess.TimeoutExpired(command, task.seconds)
            process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            _ask_for_registers(process)
            why = f"it was still running after {task.seconds:g} seconds"
            raise died(task, version, why, _pc(folder)) from None
        finally:
            process.kill()
            process.communicate()
    if process.returncode != 0:
        raise died(task, version, _first_complaint(folder), _pc(folder))
    return debugger.files.written


def _ask_for_registers(process: subprocess.Popen[bytes]) -> None:
    """Request the registers from QEMU's monitor.

    Only the monitor can tell where a program is that does not end.
    """
    with suppress(subprocess.TimeoutExpired):
        process.communicate(b"info registers\nquit\n", timeout=10)


def _said(folder: Path) -> str:
    return (folder / "said").read_text(errors="replace")


def _pc(folder: Path) -> int | None:
    addresses = _PC.findall(_said(folder))
    return int(addresses[-1], 16) if addresses else None


def _first_complaint(folder: Path) -> str:
    lines = [line for line in _said(folder).splitlines() if "qemu" in line.lower()]
    complaints = [line for line in lines if not line.startswith(("QEMU ", "(qemu)"))]
    return complaints[0] if complaints else "QEMU ended without saying why"


def _found(
    task: EmulatorJob, version: str, folder: Path, written: Mapping[str, bytes | bytearray]
) -> EmulatedRun:
    files = {name: bytes(data) for name, data in written.items()}
    status, stack = concluded(task, version, files)
    counts = [int(line) for line in (folder / "counts").read_text().split()]
    return EmulatedRun(
        version,
        sum(counts),
        dict(zip((MAIN, *task.entries.values()), counts, strict=True)),
        files.get("output", b""),
        files.get("text", b"").decode(errors="replace"),
        status,
        stack,
        _touched(task, folder) if task.touch else None,
        _profile(folder) if task.profile else None,
    )


def _touched(task: EmulatorJob, folder: Path) -> Touched:
    unaligned = frozenset(int(line) for line in (folder / "unaligned").read_text().split())
    return Touched(task.core.memory.ram_base, (folder / "marks").read_bytes(), unaligned)


def _profile(folder: Path) -> dict[int, int]:
    profile: dict[int, int] = defaultdict(int)
    for line in (folder / "profile").read_text().splitlines():
        address, times = line.split()
        profile[int(address)] += int(times)
    return dict(profile)
