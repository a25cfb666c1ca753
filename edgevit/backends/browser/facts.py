"""`page.json`: what the page knows of the model. It is data of the artifact, checked before use."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.browser.files import FACTS
from edgevit.backends.browser.options import OPTIONS
from edgevit.backends.browser.runtimes import RUNTIMES
from edgevit.backends.call_facts import Facts
from edgevit.backends.port_facts import PortFacts, Ports
from edgevit.errors import PackageError
from edgevit.graph.program import value
from edgevit.support.shape import (
    Either,
    Flag,
    Listing,
    Null,
    Number,
    ShapeError,
    Table,
    Text,
    WholeNumber,
    require_shape,
)
from edgevit.support.strangers_text import MalformedTextError, parse_json, read_bytes

_LINE = Text(most=10_000, plain=False)
_PORT = Table({"name": _LINE, "shape": Listing(WholeNumber(0, 1 << 31)), "dtype": _LINE})
_EXTENT = WholeNumber(1, 1 << 16)
_THREE = Listing(Number(-1e9, 1e9), least=3, most=3)
_PREPARE = Table(
    {
        "height": _EXTENT,
        "width": _EXTENT,
        "resized": Listing(_EXTENT, least=2, most=2),
        "scale": _THREE,
        "offset": _THREE,
        "source": Listing(WholeNumber(0, 2), least=3, most=3),
        "channels_last": Flag(),
        "border": Either((Null(), WholeNumber(0, 255))),
    },
    ("border",),
)
_SHAPE = Table(
    {
        "name": _LINE,
        "precision": _LINE,
        "runtime": Text(RUNTIMES),
        "threads": WholeNumber(0, 64),  # 0: as many as there are cores
        "inputs": Listing(_PORT, least=1, most=1000),
        "outputs": Listing(_PORT, least=1, most=1000),
        "labels": Listing(_LINE, most=1_000_000),
        "prepare": Either((Null(), _PREPARE)),
    }
)


def write_facts(request: Lowering, artifact: Path) -> None:
    program, options = request.program, OPTIONS.of(request.options)
    facts = {
        "name": program.name,
        "precision": request.precision,
        "runtime": options.runtime,
        "threads": 0 if options.page_threads == "all" else int(options.page_threads),
        "inputs": _ports(program.input_names, program.inputs),
        "outputs": _ports(program.output_names, map(value, program.outputs())),
        "labels": list(request.source.labels),
        "prepare": None,
    }
    _write(artifact, facts)


def finish(artifact: Path, manifest: dict[str, Any]) -> None:
    """Add the preprocessing of pictures to the page."""
    how = Facts.of(manifest, artifact.parent).prepare
    if how is None:
        return
    crop = manifest["model"]["preprocess"]["crop_pct"]
    prepare = asdict(how) | {
        "resized": [round(extent / crop) for extent in (how.height, how.width)]
    }
    del prepare["resize"]
    _write(artifact, read_facts(artifact) | {"prepare": prepare})


def ports(artifact: Artifact, expected: Expected) -> Ports:
    facts = read_facts(artifact.path)
    inputs, outputs = ([PortFacts.of_dict(one) for one in facts[k]] for k in ("inputs", "outputs"))
    return inputs, outputs


def read_facts(artifact: Path) -> dict[str, Any]:
    path = artifact / FACTS
    try:
        facts = parse_json(read_bytes(path))
        require_shape(facts, _SHAPE)
    except (OSError, MalformedTextError, ShapeError) as error:
        raise PackageError(
            f"{FACTS} of the page cannot be read",
            where=str(path),
            why=str(error),
            hint="give the folder that ends in .web, whole, or export the model again",
        ) from error
    return facts


def _ports(names: Any, tensors: Any) -> list[dict[str, Any]]:
    return [
        PortFacts(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")).as_dict()
        for name, tensor in zip(names, tensors, strict=True)
    ]


def _write(artifact: Path, facts: dict[str, Any]) -> None:
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    (artifact / FACTS).write_text(text, encoding="utf-8")
