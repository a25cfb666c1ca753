"""Renaming of weights whose names are not Python identifiers: `import.weight` becomes
`import_.weight`.

Torch writes code for a graph module, `self.import.weight` among it, and gives graph modules attributes of their own:
a layer called `graph` has no place in one.
"""

from __future__ import annotations

import copy
import keyword
import re
from dataclasses import replace

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import ExportGraphSignature

_TAKEN = frozenset(dir(fx.GraphModule(torch.nn.Module(), fx.Graph())))


def with_plain_names(exported: ExportedProgram) -> ExportedProgram:
    """Rename weights; return the program itself, or a copy where a name had to change."""
    signature = exported.graph_signature
    names = [spec.target for spec in signature.input_specs if spec.target]
    plain = _plain(names)
    if all(plain[name] == name for name in names):
        return exported
    renamed = copy.copy(exported)
    inputs = [replace(s, target=plain.get(s.target or "", s.target)) for s in signature.input_specs]
    outputs = [
        replace(s, target=plain.get(s.target or "", s.target)) for s in signature.output_specs
    ]
    renamed._graph_signature = ExportGraphSignature(inputs, outputs)
    renamed._state_dict = {plain.get(k, k): v for k, v in exported.state_dict.items()}
    renamed._constants = {plain.get(k, k): v for k, v in exported.constants.items()}
    return renamed


def _plain(names: list[str]) -> dict[str, str]:
    plain = {name: name for name in names if _is_plain(name)}
    for name in names:
        if name in plain:
            continue
        new = ".".join(_plain_part(part) for part in name.split("."))
        if new.partition(".")[0] in _TAKEN:
            new = new.replace(".", "_.", 1) if "." in new else f"{new}_"
        while new in plain.values():
            new += "_"
        plain[name] = new
    return plain


def _is_plain(name: str) -> bool:
    first, *_ = parts = name.split(".")
    return first not in _TAKEN and all(part == _plain_part(part) for part in parts)


def _plain_part(part: str) -> str:
    """Make one part of a name an identifier.

    A number may stay: layers of a `Sequential` have such names.
    """
    word = re.sub(r"\W", "_", part)
    return f"{word}_" if keyword.iskeyword(word) else word
