"""Description of a net as ultralytics writes it, read as data.

The package evaluates the text of `activation` as Python, calls whatever its namespace has under the name of a layer,
and lets a layer fetch weights. Here an activation is a class of `torch.nn` with plain arguments, a layer is one of the
package's or torch's layers, and nothing is fetched.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import nn

from edgevit.errors import ModelError
from edgevit.frontend.trial import first_line
from edgevit.frontend.ultralytics_library import tasks

_MOST_BYTES = 1 << 20
_MOST_LAYERS = 1000
_ACTIVATION = re.compile(r"(?:torch\.)?nn\.(?P<name>[A-Za-z0-9]+)\((?:\w+=)?[\w.,= -]*\)")
_LAYERS = ("ultralytics.nn.modules.", "torch.nn.modules.")
_FETCHES = "TorchVision"  # its second argument names weights to download


def read_description(file: Path) -> dict[str, Any]:
    content = _content(file)
    for part in ("backbone", "head"):
        _require_layers(content.get(part), part, file)
    _require_activation(content.get("activation"), file)
    for row in [*content["backbone"], *content["head"]]:
        _require_layer(row[2], file)
        if row[2] == _FETCHES and len(row[3]) > 1:
            row[3][1] = None
    return content


def _content(file: Path) -> dict[str, Any]:
    import yaml

    if file.stat().st_size > _MOST_BYTES:
        raise _refused(file, f"it has {file.stat().st_size:,} bytes, {_MOST_BYTES:,} are the most")
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(file, first_line(error)) from error
    if not isinstance(content, dict):
        raise _refused(file, "it is no table with `backbone` and `head`")
    return content


def _require_layers(rows: Any, part: str, file: Path) -> None:
    if not isinstance(rows, list) or not rows or len(rows) > _MOST_LAYERS:
        raise _refused(file, f"`{part}` is no list of 1 to {_MOST_LAYERS:,} layers")
    for index, row in enumerate(rows):
        is_row = isinstance(row, list) and len(row) == 4
        if not (is_row and isinstance(row[2], str) and isinstance(row[3], list)):
            raise _refused(file, f"`{part}[{index}]` is not [from, repeats, layer, [arguments]]")


def _require_activation(text: Any, file: Path) -> None:
    match = _ACTIVATION.fullmatch(text) if isinstance(text, str) else None
    if text and not (match and _is_layer(getattr(nn, match["name"], None))):
        raise _refused(
            file, f"`activation` is {str(text)[:80]!r}, not a class of torch.nn: nn.SiLU()"
        )


def _require_layer(name: str, file: Path) -> None:
    if name.startswith("nn."):
        layer = getattr(nn, name.removeprefix("nn."), None)
    else:
        layer = getattr(tasks(), name, None)
    if not _is_layer(layer):
        raise _refused(file, f"`{name[:80]}` is no layer of ultralytics or torch.nn")


def _is_layer(layer: Any) -> bool:
    is_module = isinstance(layer, type) and issubclass(layer, nn.Module)
    return is_module and layer.__module__.startswith(_LAYERS)


def _refused(file: Path, why: str) -> ModelError:
    return ModelError(
        f"`{file}` describes no net",
        where=str(file),
        why=why,
        hint="compare it with a description in ultralytics/cfg/models; it is data, and runs no code",
    )
