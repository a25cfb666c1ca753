"""Flash a self-test to a board, with the usual tool of the board's vendor community."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from edgevit.errors import BackendRuntimeError, DeviceError, MissingToolError, UsageError, suggest

# tool -> its arguments, from the file, the board's name and the serial port
TOOLS: dict[str, Callable[[str, str, str], list[str]]] = {
    "pyocd": lambda file, chip, port: ["flash", "--target", chip, file],
    "openocd": lambda file, chip, port: ["-f", chip, "-c", f"program {{{file}}} verify reset exit"],
    "esptool": lambda file, chip, port: [
        "--chip",
        chip,
        "--port",
        port,
        "write_flash",
        "0x0",
        file,
    ],
}
_CHIPS = {
    "pyocd": "stm32f746zg: `pyocd list --targets` lists them",
    "openocd": "board/stm32f7discovery.cfg",
    "esptool": "esp32c3",
}
_INSTALL = {
    "pyocd": "pip install pyocd",
    "openocd": "apt-get install openocd",
    "esptool": "pip install esptool",
}


def flash(tool: str, file: str | None, chip: str | None, port: str, limit: float) -> None:
    if tool not in TOOLS:
        raise UsageError(f"no tool that flashes is called `{tool}`", hint=suggest(tool, TOOLS))
    if file is None or not Path(file).is_file():
        raise UsageError(
            "which file should be flashed?" if file is None else f"there is no {file}",
            hint="make OUTPUT=uart in the bundle's folder, then --elf build/gcc-uart/selftest.elf",
        )
    if chip is None:
        raise UsageError(
            f"which board does {tool} write to?", hint=f"--chip, such as {_CHIPS[tool]}"
        )
    if tool == "esptool" and Path(file).suffix != ".bin":
        raise UsageError(
            "esptool writes a .bin",
            where=file,
            hint=f"riscv64-unknown-elf-objcopy -O binary {file} selftest.bin",
        )
    path = shutil.which(tool)
    if path is None:
        raise MissingToolError(f"{tool} is not installed", hint=_INSTALL[tool])
    _run([path, *TOOLS[tool](str(Path(file).absolute()), chip, port)], tool, limit)


def _run(words: list[str], tool: str, limit: float) -> None:
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BackendRuntimeError(f"{tool} hangs", why=f"not done in {limit:g} s") from error
    if done.returncode != 0:
        raise DeviceError(
            f"{tool} could not write the board",
            where=" ".join(words),
            why="\n".join(done.stdout.strip().splitlines()[-5:]) or f"exit code {done.returncode}",
            hint="is the probe connected, and the board powered?",
        )
