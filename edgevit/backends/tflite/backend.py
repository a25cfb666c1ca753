"""TFLite backend for the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.on_host import check_on_host
from edgevit.backends.tflite.lower import lower
from edgevit.backends.tflite.npu import compile_for_npu, require_npu_compiler
from edgevit.backends.tflite.options import OPTIONS
from edgevit.backends.tflite.rules import FORMS, RULES
from edgevit.graph.parity import Parity
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form


@dataclass(frozen=True)
class TFLite:
    rules: tuple[AnyRule, ...] = RULES
    forms: tuple[Form, ...] = FORMS

    def lower(self, request: Lowering) -> Artifact:
        options = OPTIONS.of(request.options)
        npu = require_npu_compiler(request.target) if options.litert_npu else None
        artifact = lower(request.program, request.precision, request.directory, request.progress)
        if npu is None:
            return artifact
        request.progress(f"compile for the NPU of {npu[0]}")
        compiled = compile_for_npu(artifact.path, *npu)
        notes = (*artifact.notes, compiled.note)
        return replace(artifact, notes=notes).with_details(npu=compiled.as_dict())

    def check(self, artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
        return check_on_host(artifact, expected)


BACKEND = TFLite()
