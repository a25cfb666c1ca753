"""Installed backends and tools. Their requirements are read from the package metadata."""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import dataclass
from importlib import metadata

from edgevit.errors import MissingToolError
from edgevit.plugins import distribution_of, installed
from edgevit.support.backend_info import BACKENDS, BackendInfo

PURPOSE = {  # extras other than backends
    "tune": "choosing by measuring: edgevit tune",
    "sweep": "many workers: edgevit sweep",
    "store": "measurements in PostgreSQL",
    "zoo": "models: timm, transformers",
}
TOOLS = {  # what they are for, and how to get them
    "gcc": "C compiler: apt-get install gcc",
    "clang": "C compiler: apt-get install clang",
    "arm-none-eabi-gcc": "firmware: apt-get install gcc-arm-none-eabi",
    "qemu-system-arm": "emulated boards: apt-get install qemu-system-arm",
    "qemu-system-riscv32": "emulated boards: apt-get install qemu-system-misc",
    "adb": "Android phones: apt-get install adb",
    "ssh": "boards: apt-get install openssh-client",
    "npm": "fetches the runtimes of browser pages, once: apt-get install npm",
    "chromium": "runs browser pages; EDGEVIT_BROWSER names another: apt-get install chromium",
}
SDKS = {  # folders that you bring, by the variable that names them
    "QNN_SDK_ROOT": "Qualcomm AI Engine Direct, for `--format tflite --litert-npu`",
}
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+).*;.*extra\s*==\s*['\"]([^'\"]+)['\"]")


@dataclass(frozen=True)
class OptionalExtra:
    """One optional part of edgevit: an extra, and the libraries it needs."""

    extra: str
    purpose: str
    present: dict[str, str]  # library -> version
    missing: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return not self.missing

    @property
    def install(self) -> str:
        return install_line(self.extra)


@dataclass(frozen=True)
class Findings:
    python: str
    torch: str | None
    parts: tuple[OptionalExtra, ...]
    tools: dict[str, str | None]  # tool -> path
    sdks: dict[str, str | None]  # variable -> folder
    plugins: tuple[tuple[str, str, str], ...] = ()  # group, name, distribution


def purposes() -> dict[str, str]:
    """Map extras to their purposes, backends first."""
    backends = {info.extra: info.purpose for info in BACKENDS.values() if info.extra}
    return {**backends, **PURPOSE}


def install_line(extra: str) -> str:
    return f"pip install 'edgevit[{extra}]'"


def require_installed(info: BackendInfo) -> None:
    """Refuse a format of whose extra no library is installed."""
    libraries = _requirements().get(info.extra, ())
    if info.firmware or not libraries or any(map(_version, libraries)):
        return
    raise MissingToolError(
        f"the format {info.name} needs libraries that are not installed",
        where=f"--format {info.name}",
        why=f"none of {', '.join(libraries)} is here",
        hint=install_line(info.extra),
    )


def examine() -> Findings:
    needs = _requirements()
    parts = tuple(_part(extra, needs.get(extra, ())) for extra in purposes())
    return Findings(
        platform.python_version(),
        _version("torch"),
        parts,
        {tool: shutil.which(tool) for tool in TOOLS},
        {variable: os.environ.get(variable) or None for variable in SDKS},
        tuple((group, entry.name, distribution_of(entry)) for group, entry in installed()),
    )


def _requirements() -> dict[str, tuple[str, ...]]:
    requirements: dict[str, tuple[str, ...]] = {}
    for line in metadata.requires("edgevit") or ():
        match = _REQUIREMENT.match(line)
        if match and match[1] != "edgevit":
            requirements[match[2]] = (*requirements.get(match[2], ()), match[1])
    return requirements


def _part(extra: str, libraries: tuple[str, ...]) -> OptionalExtra:
    versions = {library: _version(library) for library in libraries}
    present = {library: version for library, version in versions.items() if version}
    return OptionalExtra(
        extra, purposes()[extra], present, tuple(lib for lib in libraries if lib not in present)
    )


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def table(findings: Findings) -> str:
    rows = [f"python {findings.python}, torch {findings.torch or 'missing: pip install torch'}", ""]
    for part in findings.parts:
        rows.append(f"  {'yes' if part.ready else 'no':<4} {part.extra:<11} {part.purpose}")
        if part.present:
            rows.append(
                " " * 19 + ", ".join(f"{name} {version}" for name, version in part.present.items())
            )
        if part.missing:
            rows.append(" " * 19 + f"missing {', '.join(part.missing)}:  {part.install}")
    rows += ["", "tools"]
    rows += [
        f"  {'yes' if path else 'no':<4} {tool:<20} {path or TOOLS[tool]}".rstrip()
        for tool, path in findings.tools.items()
    ]
    rows += ["", "SDKs that you bring"]
    rows += [
        f"  {'yes' if folder else 'no':<4} "
        + (f"{variable} {folder}" if folder else f"{variable} is not set: {SDKS[variable]}")
        for variable, folder in findings.sdks.items()
    ]
    if findings.plugins:
        rows += ["", "plugins"]
        rows += [f"  {group:<18} {name:<14} {owner}" for group, name, owner in findings.plugins]
    return "\n".join(rows)


def as_dict(findings: Findings) -> dict[str, object]:
    return {
        "python": findings.python,
        "torch": findings.torch,
        "extras": [
            {
                "extra": part.extra,
                "purpose": part.purpose,
                "ready": part.ready,
                "present": part.present,
                "missing": list(part.missing),
                "install": None if part.ready else part.install,
            }
            for part in findings.parts
        ],
        "tools": findings.tools,
        "sdks": findings.sdks,
        "plugins": [
            {"group": group, "name": name, "distribution": owner}
            for group, name, owner in findings.plugins
        ],
    }
