"""Signatures whose tables of inputs are built once.

Converters ask for each node whether it is a parameter or a buffer, and each time torch builds the whole
table from the list of inputs, of which an integer net has three for each weight. A table is built anew here where the list, or anything in it, has changed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from torch.export.graph_signature import ExportGraphSignature, InputSpec, TensorArgument

_TABLES = ("inputs_to_parameters", "inputs_to_buffers", "inputs_to_lifted_tensor_constants")
Table = Mapping[str, str]


class _Tables:
    """Tables by signature and name, each with the inputs that it was built of."""

    def __init__(self) -> None:
        self.changes = 0  # of any input of any signature
        self._built: dict[tuple[int, str], tuple[object, Sequence[object], int, Table]] = {}

    def table(self, of: ExportGraphSignature, name: str, build: Callable[[Any], Table]) -> Table:
        key, specs = (id(of), name), of.input_specs
        if key in self._built:
            _, earlier, changes, table = self._built[key]
            same = changes == self.changes and len(specs) == len(earlier)
            if same and all(map(operator.is_, specs, earlier)):
                return table
        table = build(of)
        self._built[key] = (of, list(specs), self.changes, table)  # alive: no id is used twice
        return table


@contextmanager
def signatures_known() -> Generator[None]:
    tables = _Tables()

    def watched(usual: Callable[..., None]) -> Callable[..., None]:
        def assign(self: Any, name: str, value: Any) -> None:
            tables.changes += 1
            usual(self, name, value)

        return assign

    def property_of(name: str, build: Callable[[Any], Table]) -> property:
        return property(lambda self: tables.table(self, name, build))

    with ExitStack() as stack:
        for kind in (InputSpec, TensorArgument):
            stack.enter_context(patch.object(kind, "__setattr__", watched(kind.__setattr__)))
        for name in _TABLES:
            build = vars(ExportGraphSignature)[name].fget
            stack.enter_context(patch.object(ExportGraphSignature, name, property_of(name, build)))
        yield
