"""Mapping from the operations of a converted program to the calls that they were made from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any
from unittest.mock import patch

from edgevit.backends.coreai.tool import module
from edgevit.backends.exported import name_in_program


@contextlib.contextmanager
def recorded_places(converter: Any, exported: Any) -> Iterator[list[tuple[str, str]]]:
    """Yield what a conversion fills: for each operation its signature, and the name of its call.

    The converter forgets what its operations were made from when a function is whole, and its
    compiler then folds and joins some, and numbers them anew.
    """
    recorder = converter._debug_info_recorder
    nested = module("coreai_torch._debug_locations")._get_nested_operations
    names = {node.name: name_in_program(node) for node in exported.graph.nodes}
    made_from: list[tuple[str, str]] = []
    theirs = recorder.finalize_node_operations

    def noted() -> None:
        theirs()
        for operation in nested(recorder._current_graph):
            facts = recorder._debug_info_map.get(operation)
            source = facts.source.identifiers[0] if facts is not None and facts.source else ""
            made_from.append((signature(operation), names.get(source, "")))

    with patch.object(recorder, "finalize_node_operations", noted):
        yield made_from


def signature(operation: Any) -> str:
    return " ".join([operation.name, *(str(value.type) for value in operation.results)])


def calls_behind(signatures: Sequence[str], made_from: Sequence[tuple[str, str]]) -> list[str]:
    """Return the call behind each operation of the compiled program.

    Equal stretches of both programs are matched; an operation of the compiler's own has the call of
    the one before it.
    """
    names = [""] * len(signatures)
    recorded = [text for text, _ in made_from]
    for mine, theirs, length in SequenceMatcher(
        None, signatures, recorded, autojunk=False
    ).get_matching_blocks():
        names[mine : mine + length] = [name for _, name in made_from[theirs : theirs + length]]
    for place in range(1, len(names)):
        names[place] = names[place] or names[place - 1]
    return names
