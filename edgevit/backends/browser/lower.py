"""Lowering of a program to the folder of a page: an ONNX file and a TFLite file of one program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from edgevit.backends.api import Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.browser.facts import write_facts
from edgevit.backends.browser.files import ONNX, TFLITE, write_page
from edgevit.backends.browser.info import INFO
from edgevit.backends.browser.packages import runtime_versions
from edgevit.backends.onnx import ONE_FILE, with_own_outputs, write_onnx
from edgevit.backends.onnx import RULES as ONNX_RULES
from edgevit.backends.room import constant_bytes
from edgevit.backends.tflite import RULES as TFLITE_RULES
from edgevit.backends.tflite import lower as lower_tflite
from edgevit.backends.unsupported import refuse_precision
from edgevit.errors import MemoryLimitError
from edgevit.rewrites import engine
from edgevit.rewrites.report import RewriteReport


def lower(request: Lowering) -> Artifact:
    """Write both files, each by the rules of its own format, and the page around them."""
    refuse_precision(INFO.title, request.precision, INFO.precisions)
    _require_one_file(request)
    request = replace(request, program=with_own_outputs(request.program))  # both files' names
    folder = request.directory / f"{request.program.name}{INFO.suffix}"
    folder.mkdir()
    write_page(folder, request.progress)
    versions = runtime_versions()
    with TemporaryDirectory() as room:
        for_onnx, onnx_report = engine.run(request.program, ONNX_RULES)
        written = write_onnx(for_onnx, request.precision, Path(room), request.progress)
        written.path.rename(folder / ONNX)
        for_tflite, tflite_report = engine.run(request.program, TFLITE_RULES)
        lite = lower_tflite(for_tflite, request.precision, Path(room), request.progress)
        lite.path.rename(folder / TFLITE)
    write_facts(request, folder)
    return Artifact(
        INFO.name,
        request.precision,
        folder,
        written.versions | lite.versions | versions,
        (
            *written.notes,
            *lite.notes,
            _fired(ONNX, onnx_report),
            _fired(TFLITE, tflite_report),
        ),
    )


def _fired(file: str, report: RewriteReport) -> str:
    rules = [f"{one.rule} x{len(one.fired)}" for one in report.rules if one.fired]
    return f"{file}: {', '.join(rules) or 'no rule of its own'}"


def _require_one_file(request: Lowering) -> None:
    """Refuse what no tab can hold: the memory of WebAssembly is 4 GB, with the file and the weights in it."""
    size = constant_bytes(request.program)
    if size > ONE_FILE // 2:
        raise MemoryLimitError(
            f"{request.program.name} has {size / 1e9:.1f} GB of weights, too much for a browser",
            why="a page has 4 GB, in which the file lies beside what the runtime makes of it",
            hint="a smaller model of the family",
        )
