"""`call/`: whatever ports and models are called, the code is the same, and the names are data in it."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.backends.call_facts import Facts, Prepare
from edgevit.backends.port_facts import PortFacts
from edgevit.backends.snippet import Snippet
from edgevit.snippets.write import filled
from edgevit.support.backend_info import BACKENDS
from tests.support.lexer import lexed

PREPARE = Prepare(4, 4, (1.0,) * 3, (0.0,) * 3, (0, 1, 2), True, 'RGB */ """ \\')
NASTY = st.lists(
    st.sampled_from(
        ['"', "'", '"""', "\\", "\n", "\r", "*/", "/*", "//", "$", "${x}", "\\(exit(0))", "??/", "\\u000a",
         "\\u0022", "`", "@BODY@", "é", "\U0001f600", "\u2028", " ", "a", "0", "\x1b"]
    ),
    max_size=8,
).map("".join)  # fmt: skip
SNIPPETS: tuple[tuple[str, Snippet], ...] = tuple(
    (format, snippet)
    for format, info in BACKENDS.items()
    if info.snippets
    for snippet in info.part(info.snippets)
    if not snippet.name.endswith((".md", ".txt")) and snippet.name != "golden.cpp"  # numbers alone
)
NAMES = NASTY | st.text(st.characters(codec="utf-8"), max_size=12)


def facts(format: str, folder: Path, name: str, model: str, file: str) -> Facts:
    kind = "int8" if format == "mcu" else "float32"
    scale = (0.5, 3) if format == "mcu" else ()
    ports = (PortFacts(name, (1, 4, 4, 3), kind, *scale),)
    manifest = {
        "npu": {"soc": name, "context": f"{file}.bin", "name": name, "golden": file},
        "delegation": {"ops_outside": 0, "outside": []},
        "versions": {"onnxruntime-qnn": name},
        "target": "ethos-u55-256",
        "predicted": {"ram_bytes": 1000},
    }
    if format == "ethos-u":  # its bytes become an array
        file = "net.tflite"
        (folder / file).write_bytes(b"0123456789")
    (folder / "fw").mkdir(exist_ok=True)
    (folder / "fw" / "edgevit_model.h").write_text("ev_model_push_rows(")
    return Facts(
        model,
        format,
        "fw" if format == "mcu" else file,
        ports,
        ports,
        PREPARE,
        False,
        folder,
        manifest,
    )


def written(format: str, snippet: Snippet, *names: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        about = facts(format, Path(folder), *names)
        return filled(snippet.template, {**about.marks(), **snippet.marks(about)})


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(NAMES, NAMES, NAMES)
def test_names_are_data_in_every_language(port: str, model: str, file: str) -> None:
    for format, snippet in SNIPPETS:
        text, plain = (
            written(format, snippet, port, model, file),
            written(format, snippet, "p", "m", "f"),
        )
        language = snippet.name.rpartition(".")[2]
        if language == "py":
            assert _shape(text) == _shape(plain), snippet
        else:
            found, usual = lexed(text, language), lexed(plain, language)
            assert found.code.split() == usual.code.split(), snippet
            assert len(found.strings) == len(usual.strings)


@settings(deadline=None, max_examples=60)
@given(NAMES)
def test_python_asks_by_the_very_name(port: str) -> None:
    format, snippet = next(pair for pair in SNIPPETS if pair[1].name == "call.py")
    tree = ast.parse(written(format, snippet, port, "m", "f"))
    assert port in {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}


def _shape(text: str) -> str:
    """The program but for the values of its strings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)
