"""Read a saved `.mlpackage` from disk: manifest, program, description and weights.

Everything is checked while it is read, so that a damaged or half-copied package is an error here and
never a wrong answer later.
"""

from __future__ import annotations

from pathlib import Path

from edgevit.backends.coreml.check.description import read_description
from edgevit.backends.coreml.check.messages import HINT, parse_model
from edgevit.backends.coreml.check.program import MilPackage
from edgevit.backends.coreml.check.reader import FunctionReader, WeightFiles
from edgevit.errors import PackageError
from edgevit.support.file_limits import why_outside
from edgevit.support.strangers_text import MalformedTextError, read_json

# A program that is no program is found anywhere: a name that is not there, a shape that is not the data's.
_BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RecursionError, RuntimeError, TypeError, ValueError)  # fmt: skip


def load_package(path: Path, function: str | None = None) -> MilPackage:
    """Read a package: all of its functions, or `function` alone, which is then the default.

    Raise `PackageError` for one that is damaged, or that names files outside itself.
    """
    spec_path = model_path(path)
    try:
        return _read_program(path, spec_path, function)
    except _BROKEN as error:
        raise PackageError(
            "the program of the package cannot be read",
            where=str(spec_path),
            why=f"{type(error).__name__}: {error}"[:400],
            hint=HINT,
        ) from error


def _read_program(path: Path, spec_path: Path, only: str | None) -> MilPackage:
    model = parse_model(spec_path)
    if model.WhichOneof("Type") != "mlProgram":
        kind = model.WhichOneof("Type") or "empty model"
        raise PackageError(
            f"not an ML program but a {kind}",
            where=str(spec_path),
            why="only ML programs are read",
            hint="target iOS 15 or later",
        )
    weights = WeightFiles(spec_path.parent)
    functions = {
        name: FunctionReader(name, function, weights).read()
        for name, function in model.mlProgram.functions.items()
        if only in (None, name)
    }
    default = only or model.description.defaultFunctionName or "main"
    if default not in functions:
        raise PackageError(
            f"the program has no function `{default}`",
            where=str(spec_path),
            why="it has " + (", ".join(sorted(model.mlProgram.functions)) or "none"),
            hint=HINT,
        )
    description = read_description(model.description, functions[default])
    return MilPackage(path, model.specificationVersion, description, functions, default)


def model_path(path: Path) -> Path:
    """Return the path of the root model that the manifest names.

    Raise `PackageError` if an item of the manifest is missing or outside the package.
    """
    manifest_path = path / "Manifest.json"
    try:
        manifest = read_json(manifest_path)
        items: dict[str, dict[str, str]] = manifest["itemInfoEntries"]
        root: str = manifest["rootModelIdentifier"]
        names = {key: item["path"] for key, item in items.items()}
    except (OSError, MalformedTextError, KeyError, TypeError, AttributeError) as error:
        raise _manifest_error(manifest_path, f"{type(error).__name__}: {error}") from error
    for name in names.values():
        if why := why_outside(path / "Data", name):
            raise _manifest_error(manifest_path, f"its item {name!r:.200}: {why}")
        if not (path / "Data" / name).exists():
            raise PackageError(
                "the package lacks an item of its manifest",
                where=str(path / "Data" / name),
                why="no such file",
                hint=HINT,
            )
    if not isinstance(root, str) or root not in names:
        raise _manifest_error(manifest_path, f"rootModelIdentifier {root!r:.200} is no item")
    return path / "Data" / names[root]


def _manifest_error(path: Path, why: str) -> PackageError:
    return PackageError("no readable package manifest", where=str(path), why=why, hint=HINT)
