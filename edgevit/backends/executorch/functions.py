"""Several programs as methods of one .pte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgevit.backends.executorch.lower import lowered
from edgevit.backends.executorch.rules import RULES
from edgevit.backends.executorch.session import ExecuTorchSession
from edgevit.backends.functions import Functions, Part
from edgevit.backends.on_host import Run, over_tensors
from edgevit.frontend import build_source, capture
from edgevit.graph.half import in_float16
from edgevit.graph.program import Program
from edgevit.rewrites import engine


def join(parts: Mapping[str, Part], path: Path) -> None:
    """Lower the parts again, together: a .pte cannot be taken apart."""
    programs = {name: _program(part) for name, part in parts.items()}
    path.write_bytes(lowered(programs).buffer)


def _program(part: Part) -> Program:
    source = build_source(part.graph.module, part.graph.examples)
    program, _ = engine.run(capture(source), RULES)
    return in_float16(program) if part.precision == "fp16" else program


def open_method(path: Path, name: str | None, precision: str) -> Run:
    del precision
    return over_tensors(ExecuTorchSession(path, 1, name or "forward").run)


FUNCTIONS = Functions(join, open_method)
