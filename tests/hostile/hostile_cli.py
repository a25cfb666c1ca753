"""Words on the command line: numbers without sense, and texts that break what prints or opens them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from tests.hostile.case import NET, Case, Room

NUMBERS = {
    "nothing": "",
    "negative": "-1",
    "10^22": "1" + "0" * 22,
    "5,000 digits": "9" * 5000,
    "an exponent": "1e22",
    "NaN": "nan",
    "infinite": "inf",
    "Arabic digits": "\u0663",
    "half a character": "1\ud800",
    "a command": "$(touch ../room.canary)",
}
NUMERIC = {
    "inspect": ("--batch", "--seed", "--input-size", "--mean", "--std", "--max-ram"),
    "profile": ("--threads", "--rounds", "--warmup", "--limit"),
    "check": ("--threads", "--rounds", "--max-latency", "--max-size", "--min-cosine"),
    "report": ("--threads", "--rounds"),
    "matrix": ("--threads", "--rounds"),
    "sweep": ("--workers", "--rounds"),
    "history": ("--last",),
    "tune": ("--rounds", "--max-drop", "--budget"),
}
SENSIBLE = {("--mean", "negative"), ("--min-cosine", "negative"), ("--max-size", "10^22")}
TEXTS = {
    "nothing": "",
    "NUL": "a\0b",
    "half a character": "a\ud800b",
    "an escape": "\x1b]0;title\x07\x1b[31m",
    "100,000 characters": "a" * 100_000,
    "two lines": "a\nb",
    "text that turns": "\u202eedoc",
}
TEXTUAL = {
    "export": ("--target", "--format", "--precision", "--without", "--lossy", "--weights", "--labels",
               "--calibrate", "--observer", "--residual", "--scheme", "--optimize", "--weights-as", "--choose", "--plan"),
    "verify": ("DIR",),
    "profile": ("DIR", "--on", "--store"),
    "report": ("DIR",),
    "check": ("DIR", "--junit"),
    "run": ("DIR", "--core", "--toolchain", "--emulator"),
    "simulate": ("DIR", "--input"),
    "targets": ("NAME",),
    "inspect": ("MODEL", "--target"),
    "forecast": ("MODEL", "--target"),
    "history": ("--store",),
}  # fmt: skip
FOLDER_COMMANDS = {"verify", "profile", "report", "check"}
FIRMWARE_COMMANDS = {"run", "simulate"}


def words(room: Room, command: str, option: str, value: str) -> list[str]:
    """The command with everything it needs, and `option` as `value`."""
    if option in {"DIR", "NAME", "MODEL"}:
        rest = ["--target", "linux-x86"] if command == "forecast" else []
        return [command, f"{value}.py:build" if option == "MODEL" else value, *rest]
    room.write("net.py", NET)
    needed = {
        "export": ["net.py:build", "-o", "out"],
        "inspect": ["net.py:build"],
        "forecast": ["net.py:build"],
        "matrix": ["net.py:build"],
        "tune": ["net.py:build", "--target", "linux-x86"],
        "sweep": ["--models", "net.py:build", "--targets", "linux-x86"],
        "history": [],
    }.get(command)
    if needed is None:
        needed = [str(room.exported("onnx" if command in FOLDER_COMMANDS else "mcu"))]
    if command == "export" and option != "--target":
        firmware = option in {"--calibrate", "--observer", "--residual", "--scheme", "--optimize", "--weights-as"}  # fmt: skip
        needed += ["--target", "qemu-m4" if firmware else "linux-x86"]
    return [command, *needed, f"{option}={value}"]


def numbers() -> Iterator[Case]:
    for command, options in NUMERIC.items():
        for option in options:
            for name, value in NUMBERS.items():
                if (option, name) not in SENSIBLE:
                    yield Case(
                        f"{command} {option}: {name}",
                        lambda room, c=command, o=option, v=value: words(room, c, o, v),
                        code=2,
                    )


def texts() -> Iterator[Case]:
    for command, options in TEXTUAL.items():
        for option in options:
            for name, value in TEXTS.items():
                yield Case(
                    f"{command} {option}: {name}",
                    lambda room, c=command, o=option, v=value: words(room, c, o, v),
                )


def pipe(name: str) -> Callable[[Room], None]:
    return lambda room: os.mkfifo(room.path / name)


CASES = (*numbers(), *texts())
