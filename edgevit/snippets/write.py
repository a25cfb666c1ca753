"""Writes `call/`: a file a language, from the manifest alone. What a language cannot say is left out, and why is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.exported.text import CALLS as FOLDER
from edgevit.snippets import android, coreml, cpp, firmware, python
from edgevit.snippets.facts import Facts, cannot

Writer = Callable[[Facts], Mapping[str, str]]  # the marks of a template, and what stands for them


@dataclass(frozen=True)
class Snippet:
    format: str
    name: str  # of the file
    template: str
    marks: Writer


SNIPPETS = (
    Snippet("coreml", "Call.swift", "coreml.swift", coreml.marks),
    Snippet("executorch", "Call.kt", "executorch.kt", android.executorch_kotlin),
    Snippet("executorch", "Call.java", "executorch.java", android.executorch_java),
    Snippet("executorch", "call.py", "python", python.marks),
    Snippet("executorch", "call.cpp", "executorch.cpp", cpp.executorch),
    Snippet("tflite", "Call.kt", "tflite.kt", android.tflite_kotlin),
    Snippet("tflite", "Call.java", "tflite.java", android.tflite_java),
    Snippet("tflite", "call.py", "python", python.marks),
    Snippet("tflite", "call.cpp", "tflite.cpp", cpp.tflite),
    Snippet("onnx", "call.py", "python", python.marks),
    Snippet("onnx", "call.cpp", "onnx.cpp", cpp.onnx),
    Snippet("tvm", "call.py", "python", python.marks),
    Snippet("tvm", "call.cpp", "tvm.cpp", cpp.tvm),
    Snippet("mcu", "call.c", "mcu.c", firmware.marks),
)
_TEMPLATES = Path(__file__).parent / "templates"
_MARK = re.compile(r"@([A-Z_]+)@")


def write_calls(folder: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Writes below `folder`; gives back why a language was left out, if one was."""
    facts = Facts.of(manifest, folder)
    (folder / FOLDER).mkdir()
    left_out = []
    for snippet in SNIPPETS:
        if snippet.format != facts.format:
            continue
        why = cannot(facts, snippet.name)
        if why:
            left_out.append(f"no {FOLDER}/{snippet.name}: {why}")
            continue
        text = filled(snippet.template, {**facts.marks(), **snippet.marks(facts)})
        (folder / FOLDER / snippet.name).write_text(text)
    if not any((folder / FOLDER).iterdir()):
        (folder / FOLDER).rmdir()
    return tuple(left_out)


def filled(template: str, marks: Mapping[str, str]) -> str:
    """A mark that nobody fills is a KeyError: no `@NAME@` ever reaches a user."""
    text = (_TEMPLATES / f"{template}.txt").read_text()
    text = _MARK.sub(lambda found: marks[found[1]], text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
