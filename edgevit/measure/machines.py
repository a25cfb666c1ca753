"""Check of an artifact's architecture against the machine that would run it."""

from __future__ import annotations

from edgevit.errors import DeviceError, EdgevitError
from edgevit.exported import MANIFEST, read_manifest
from edgevit.measure.timing import Subject
from edgevit.support.backend_info import info_of
from edgevit.targets import load_target

# ISA of a target -> its name in `uname -m`
_ISAS = {"aarch64": "aarch64", "x86-64": "x86_64"}
_ELF = {0x03: "i686", 0x28: "armv7l", 0x3E: "x86_64", 0xB7: "aarch64", 0xF3: "riscv64"}


def require_machine(subject: Subject, machine: str, host: str) -> None:
    """Refuse an artifact for an architecture other than `machine`, with a `DeviceError`."""
    architecture = machine_of(subject)
    if architecture is None or architecture == machine:
        return
    raise DeviceError(
        f"{subject.path.name} is for {architecture}, {host} is {machine}",
        where=str(subject.path),
        why="a figure of it there would not be the target's"
        if not info_of(subject.format).machine_code
        else "a compiled library runs on its own architecture alone",
        hint=f"export for a target that is {machine}: `edgevit targets` lists them",
    )


def machine_of(subject: Subject) -> str | None:
    """Return the architecture of an artifact, or None for any.

    It is read from the ELF header of a compiled library, from the target of other exports.
    """
    with subject.path.open("rb") as file:
        head = file.read(20)
    if head[:4] == b"\x7fELF":
        number = int.from_bytes(head[18:20], "little")
        return _ELF.get(number, f"machine {number:#x}")
    folder = subject.path.parent
    if not (folder / MANIFEST).is_file():
        return None
    try:
        target = load_target(read_manifest(folder)["target"])
    except EdgevitError:
        return None  # a user's own target file that is missing: any machine is accepted
    return _ISAS.get((target.isa or "").partition("+")[0])
