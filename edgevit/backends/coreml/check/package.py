"""Read a saved `.mlpackage` from disk: manifest, program, description and weights.

Everything is checked while it is read, so that a damaged or half-copied package is an error here and
never a wrong answer later.
"""

from __future__ import annotations

import json
from pathlib import Path

from edgevit.backends.coreml.check.description import read_description
from edgevit.backends.coreml.check.messages import HINT, parse_model
from edgevit.backends.coreml.check.program import Package
from edgevit.backends.coreml.check.reader import FunctionReader, WeightFiles
from edgevit.errors import PackageError


def load_package(path: Path) -> Package:
    spec_path = model_path(path)
    model = parse_model(spec_path)
    if model.WhichOneof("Type") != "mlProgram":
        kind = model.WhichOneof("Type") or "empty model"
        raise PackageError(
            f"not an ML program but a {kind}", where=str(spec_path), hint="target iOS 15 or later"
        )
    weights = WeightFiles(spec_path.parent)
    functions = {
        name: FunctionReader(name, function, weights).read()
        for name, function in model.mlProgram.functions.items()
    }
    default = model.description.defaultFunctionName or "main"
    if default not in functions:
        raise PackageError(
            f"the program has no function `{default}`", where=str(spec_path), hint=HINT
        )
    description = read_description(model.description, functions[default])
    return Package(path, model.specificationVersion, description, functions, default)


def model_path(path: Path) -> Path:
    """The root model the manifest names; every item in the manifest must be there."""
    manifest_path = path / "Manifest.json"
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        items: dict[str, dict[str, str]] = manifest["itemInfoEntries"]
        root: str = manifest["rootModelIdentifier"]
        paths = {key: path / "Data" / item["path"] for key, item in items.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise PackageError(
            "no readable package manifest", where=str(manifest_path), why=why, hint=HINT
        ) from error
    for item in paths.values():
        if not item.exists():
            raise PackageError(
                "the package lacks an item of its manifest", where=str(item), hint=HINT
            )
    if root not in paths:
        why = f"rootModelIdentifier {root} is no item"
        raise PackageError(
            "the manifest names no model", where=str(manifest_path), why=why, hint=HINT
        )
    return paths[root]
