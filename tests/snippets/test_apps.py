"""The sample apps: not compiled here, so read by each language's grammar and held against the generated code."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import ROOT
from tests.snippets.grammar import require_grammars, syntax_errors

APPS = ROOT / "examples" / "apps"
TEMPLATES = ROOT / "edgevit" / "snippets"
SOURCES = sorted(path for path in APPS.rglob("*") if path.suffix in {".swift", ".kt", ".kts"})


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_grammar_reads_it(path: Path) -> None:
    require_grammars()
    assert syntax_errors(path) == []


def test_the_grammars_see_errors(tmp_path: Path) -> None:
    require_grammars()
    for name, text in {"a.swift": "func f( {\n", "b.kt": "fun f(\nval"}.items():
        (tmp_path / name).write_text(text)
        assert syntax_errors(tmp_path / name)


def test_what_they_call_is_what_exports_write() -> None:
    swift = (APPS / "ios" / "Classifier.swift").read_text()
    assert "try Call()" in swift and "call(Call.prepare(" in swift
    assert (
        "init(bundle: Bundle = .main" in (TEMPLATES / "templates" / "coreml.swift.txt").read_text()
    )
    assert "static func prepare(_ rgb: [UInt8]) -> [Float]" in (TEMPLATES / "coreml.py").read_text()
    kotlin = (APPS / "android/app/src/main/java/example/Classifier.kt").read_text()
    assert (
        "Call(copied(" in kotlin and "call.run(call.prepare(pixels))[0].asFloatBuffer()" in kotlin
    )
    written = (TEMPLATES / "templates" / "tflite.kt.txt").read_text()
    assert "class Call(file: File" in written and "): List<ByteBuffer>" in written
    assert "fun prepare(pixels: IntArray): FloatArray" in (TEMPLATES / "android.py").read_text()


def test_they_say_that_nobody_compiled_them() -> None:
    assert "Neither was compiled here" in (APPS / "README.md").read_text()
    for path in SOURCES:
        if path.name != "settings.gradle.kts":
            assert "Not " in path.read_text().splitlines()[0]
    ElementTree.parse(APPS / "android/app/src/main/AndroidManifest.xml")
