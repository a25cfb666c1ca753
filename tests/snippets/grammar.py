"""Syntax of Kotlin and Swift by tree-sitter's grammars, which `make bed` puts into a folder of their own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_GRAMMARS = {".swift": "swift", ".kt": "kotlin", ".kts": "kotlin"}


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "edgevit" / "grammars"


def grammars_are_here() -> bool:
    return (_folder() / "tree_sitter").exists()


def require_grammars() -> None:
    if grammars_are_here():
        return
    reason = f"tree-sitter is not in {_folder()}: `make bed` puts it there"
    if os.environ.get("EDGEVIT_CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def syntax_errors(path: Path) -> list[str]:
    """Return the places that the language's grammar does not read."""
    sys.path.append(str(_folder()))
    try:
        sitter = importlib.import_module("tree_sitter")
        grammar = importlib.import_module(f"tree_sitter_{_GRAMMARS[path.suffix]}")
    finally:
        sys.path.remove(str(_folder()))
    parser = sitter.Parser(sitter.Language(grammar.language()))
    root = parser.parse(path.read_bytes()).root_node
    return [f"{path.name}:{n.start_point[0] + 1}" for n in _nodes(root) if n.is_error or n.is_missing]  # fmt: skip


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.children:
        yield from _nodes(child)
