"""The Snapdragon chip of a target, as the compiler knows it."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from edgevit.errors import TargetError
from edgevit.targets import Target

_PART = re.compile(r"[A-Z0-9]+")


@dataclass(frozen=True)
class Soc:
    part: str  # "SM8650"
    soc_model: int
    htp_arch: int
    vtcm_mb: int
    fp16: bool

    def as_dict(self) -> dict[str, object]:
        return {
            "soc": self.part,
            "soc_model": self.soc_model,
            "htp_arch": f"v{self.htp_arch}",
            "vtcm_mb": self.vtcm_mb,
        }


@functools.cache
def socs() -> dict[str, Soc]:
    """Return the chips that contexts are compiled for, by part number."""
    text = files("edgevit.backends.qnn").joinpath("socs.toml").read_text()
    entries: dict[str, Any] = tomllib.loads(text)
    return {part: Soc(part, **entry) for part, entry in entries.items() if part != "source"}


def soc_of(target: Target) -> Soc | None:
    """Return the chip whose part number the target's `soc` names; None where it names none."""
    parts = _PART.findall(target.soc or "")
    return next((soc for part, soc in socs().items() if part in parts), None)


def missing(target: Target) -> tuple[str, str] | None:
    """Return the key that the target's file lacks, and why it is needed."""
    if soc_of(target) is not None:
        return None
    return "soc", f"a context is compiled for one chip, by part number: {', '.join(socs())}"


def require_soc(target: Target, precision: str) -> Soc:
    soc = soc_of(target)
    if soc is None:
        raise TargetError(
            f"{target.title} has no Snapdragon that a context is compiled for",
            where=str(target.file),
            why=f"its soc is {target.soc or 'not stated'}; there are {', '.join(socs())}",
            hint="`edgevit targets` lists the devices of the format qnn",
        )
    if precision == "fp16" and not soc.fp16:
        raise TargetError(
            f"the NPU of {soc.part} does not compute in fp16",
            where=target.name,
            why=f"its Hexagon v{soc.htp_arch} multiplies integers alone",
            hint="--precision w8a16 or int8, with --calibrate",
        )
    return soc
