"""Several programs as methods of one .pte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from edgevit.backends.executorch.lower import lowered
from edgevit.backends.executorch.rules import RULES
from edgevit.backends.executorch.session import ExecuTorchSession
from edgevit.backends.functions import Functions, Part
from edgevit.backends.on_host import Run
from edgevit.frontend import build_source, capture
from edgevit.graph.half import in_float16
from edgevit.graph.program import Inputs, Program
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
    session = ExecuTorchSession(path, 1, name or "forward")

    def run(inputs: Inputs) -> tuple[torch.Tensor, ...]:
        outputs = session.run([x.contiguous().numpy() for x in inputs])
        return tuple(torch.from_numpy(array) for array in outputs)

    return run


FUNCTIONS = Functions(join, open_method)
