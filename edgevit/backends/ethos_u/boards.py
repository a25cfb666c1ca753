"""Boards that carry an Ethos-U: where its registers and its interrupt are."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class NpuPlace:
    base: int  # address of the NPU's registers
    irq: int
    core: str  # "cortex-m55"


@functools.cache
def boards() -> dict[str, NpuPlace]:
    """Return the boards by the names of their targets."""
    text = files("edgevit.backends.ethos_u").joinpath("boards.toml").read_text()
    entries: dict[str, Any] = tomllib.loads(text)
    return {name: NpuPlace(**entry) for name, entry in entries.items() if name != "source"}
