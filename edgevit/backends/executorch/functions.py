"""Several programs as methods of one .pte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from edgevit.backends.executorch.lower import edge_of
from edgevit.backends.executorch.session import ExecuTorchSession
from edgevit.backends.executorch.tool import quiet
from edgevit.backends.functions import Functions, Part
from edgevit.backends.on_host import Run
from edgevit.graph.cheaper_passes import cheaper_passes
from edgevit.graph.half import in_float16
from edgevit.graph.program import Inputs


def join(parts: Mapping[str, Part], path: Path) -> None:
    programs = {
        name: in_float16(part.program) if part.precision == "fp16" else part.program
        for name, part in parts.items()
    }
    with quiet(), cheaper_passes():
        path.write_bytes(edge_of(programs).to_executorch().buffer)


def open_method(path: Path, name: str | None, precision: str) -> Run:
    del precision
    session = ExecuTorchSession(path, 1, name or "forward")

    def run(inputs: Inputs) -> tuple[torch.Tensor, ...]:
        outputs = session.run([x.contiguous().numpy() for x in inputs])
        return tuple(torch.from_numpy(array) for array in outputs)

    return run


FUNCTIONS = Functions(join, open_method)
