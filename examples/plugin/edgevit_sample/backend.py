"""The rewritten program, saved as PyTorch saves it."""

from dataclasses import dataclass

import torch

from edgevit.backends import Artifact, Expected, Lowering, check_on_host, exported_program
from edgevit.graph.parity import Parity
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.variants import Form
from edgevit_sample.options import OPTIONS


@dataclass(frozen=True)
class ExportedProgramBackend:
    rules: tuple[AnyRule, ...] = STANDARD
    forms: tuple[Form, ...] = ()

    def lower(self, request: Lowering) -> Artifact:
        path = request.directory / f"{request.program.name}.pt2"
        note = OPTIONS.of(request.options).pt2_note
        extra = {"note.txt": note} if note else {}
        torch.export.save(exported_program(request.program), path, extra_files=extra)
        return Artifact("pt2", request.precision, path, {"torch": torch.__version__})

    def check(self, artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
        return check_on_host(artifact, expected)


BACKEND = ExportedProgramBackend()
