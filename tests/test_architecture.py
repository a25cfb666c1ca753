"""A package never imports a later one, and each heavy library is imported in one place."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import ROOT
from tests.levels import PACKAGES, SPINE

PACKAGE = ROOT / "edgevit"

# library -> the only folders or files that may import it
HOMES = {
    "coremltools": ("backends/coreml",),
    "coreai": ("backends/coreai",),
    "coreai_torch": ("backends/coreai",),
    "executorch": ("backends/executorch",),
    "litert_torch": ("backends/tflite",),
    "ai_edge_litert": ("backends/tflite",),
    "onnx": ("backends/onnx",),
    "onnxruntime": ("backends/onnx", "backends/qnn"),
    "onnxruntime_qnn": ("backends/qnn",),
    "tvm": ("backends/tvm",),
    "ethosu": ("backends/ethos_u",),
    "timm": ("frontend/timm_models.py",),
    "transformers": ("frontend",),
    "torchvision": ("frontend/torchvision_ops.py", "frontend/torchvision_models.py"),
    "ultralytics": ("frontend/ultralytics_library.py",),
    "safetensors": ("frontend", "exported/golden.py", "integer/file.py", "bisect/files.py"),
    "unicorn": ("backends/mcu/emulator",),
    "elftools": ("backends/mcu/run/elf.py",),
    "capstone": ("backends/mcu",),
    "optuna": ("tune/study.py",),
    "distributed": ("sweep",),
    "psycopg": ("measure/database.py",),
    "qai_hub": ("measure/cloud",),
}
# Packages whose `__init__` lists all that is imported from outside them; what has none yet lets nobody in.
FACES = (
    "targets",
    "frontend",
    "quantize",
    "integer",
    "backends",
    *sorted(f"backends.{path.parent.name}" for path in (PACKAGE / "backends").glob("*/info.py")),
    "exported",
    "snippets",
    "evaluate",
    "export",
    "measure",
    "forecast",
    "bisect",
    "exits",
    "split",
    "budgets",
    "matrix",
    "tune",
    "sweep",
    "search",
)
# Kitchens with open doors: docs/adr/0012. (`graph`, `support` and `rewrites` are such as a whole; nobody imports `cli`.)
OPEN = ("integer.ops",)
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
LIGHT = ("__init__", "__main__", "errors", "support", "targets", "cli")  # import nothing heavy


class Face(NamedTuple):
    typed: set[tuple[str | None, str]]  # home and name
    listed: list[str]
    homes: dict[str, tuple[str, ...]]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path, only_at_import: bool = False) -> tuple[str, ...]:
    return tuple(_imports(path, only_at_import))


def _imports(path: Path, only_at_import: bool) -> Iterator[str]:
    """Yield dotted names; `from package import name` gives the name's too, which may be a module."""
    tree = parsed(path)
    for node in ast.walk(tree) if not only_at_import else iter(tree.body):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imported_names(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the modules of edgevit's packages that are imported, each with a name taken from it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("edgevit."):
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            yield from ((name, "") for name in names if name.startswith("edgevit."))


def read_files(path: Path, files: Mapping[str, Path]) -> set[str]:
    """Return the files that `path` imports; a package's `__init__` only where a name of its own is taken."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if name in files else node.module for name in whole}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & set(files)


def named(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_the_top_holds_packages_only() -> None:
    files = {path.name for path in PACKAGE.glob("*.py")}
    assert files <= {"__init__.py", "__main__.py", "errors.py", "plugins.py"}
    assert {top(path) for path in modules()} == set(PACKAGES) | {"__init__"}


def test_no_package_imports_a_later_one() -> None:
    places = {f"edgevit.{package}": place for place, package in enumerate(PACKAGES)}
    wrong = [
        f"{path} imports {name}"
        for path in modules()
        if top(path) != "__init__"
        for name in imports(path)
        if places.get(".".join(name.split(".")[:2]), 0) > PACKAGES.index(top(path))
    ]
    assert not wrong, "\n".join(wrong)


def room(module: str) -> str:
    """Return the innermost of the packages with a face, or of the open ones, that holds a module."""
    inside = [p for p in (*FACES, *OPEN) if f"{module}.".startswith(f"edgevit.{p}.")]
    return max(inside, key=len, default="")


def is_inside(path: Path, package: str) -> bool:
    return path.is_relative_to(PACKAGE.joinpath(*package.split(".")))


@cache
def face(package: str) -> Face:
    """Read what an `__init__` says three times: for type checkers, for readers, and for the import."""
    tree = ast.parse(PACKAGE.joinpath(*package.split("."), "__init__.py").read_text())
    typed, listed, homes = set(), [], {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            f"edgevit.{package}."
        ):
            typed |= {(node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            listed = ast.literal_eval(node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_face":
            homes = ast.literal_eval(node.args[1])
    return Face(typed, listed, homes)


@pytest.mark.parametrize("package", FACES)
def test_every_package_lists_its_face(package: str) -> None:
    typed, listed, homes = face(package)
    assert sorted(name for _, name in typed) == sorted(listed)
    if homes:
        assert typed == {
            (f"edgevit.{package}.{home}", name) for home, names in homes.items() for name in names
        }
    whole = importlib.import_module(f"edgevit.{package}")
    for module, name in typed:
        assert getattr(whole, name) is getattr(importlib.import_module(module), name)


def test_outside_a_package_only_its_face_is_imported() -> None:
    whole = PACKAGE / "__init__.py"  # the face of all
    wrong = [
        f"{path} imports {module}.{name}"
        for path in [*modules(), *EXAMPLES]
        if path != whole
        for module, name in imported_names(path)
        if (package := room(module)) in FACES and not is_inside(path, package)
        if module != f"edgevit.{package}" or name not in face(package).listed
    ]
    assert not wrong, "\n".join(wrong)


def test_a_class_name_has_one_meaning() -> None:
    """Typed views of calls are named after the operation, as the integer operations are."""
    places: dict[str, list[str]] = {}
    for path in set(modules()) - {PACKAGE / "graph" / "calls.py"}:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{path}:{node.lineno}")
    assert not {name: twice for name, twice in places.items() if len(twice) > 1}


# How a value was had says nothing of what it is. `left` is a side where `right` or `top` is there.
PARTICIPLES = {"found", "held", "made", "known", "given", "kept", "wanted", "left"}
SIDES = {"left": {"right", "top"}}
Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def names_in(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the functions, parameters and locals of a file, without fields of classes."""
    for child in ast.walk(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child.name, child.lineno
        elif isinstance(child, ast.arg):
            yield child.arg, child.lineno
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id, child.lineno


def test_names_say_what_a_value_is() -> None:
    wrong = []
    for path in modules():
        tree = parsed(path)
        fields = {
            statement.target.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for statement in node.body
            if isinstance(statement, ast.AnnAssign)
        }
        outer = [node for node in tree.body if isinstance(node, Named)]
        for part in outer:
            names = list(names_in(part))
            there = {name for name, _ in names}
            wrong += [
                f"{path.relative_to(ROOT)}:{line} {name}"
                for name, line in names
                if name in PARTICIPLES and line not in fields and not SIDES.get(name, set()) & there
            ]
    assert not wrong, "\n".join(wrong)


def test_pages_import_faces_only() -> None:
    line = re.compile(r"^ *from (edgevit\.[\w.]+) import (.+)$", re.M)
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for module, names in line.findall(page.read_text()):
            if room(module) in FACES:
                assert module == f"edgevit.{room(module)}", f"{page} imports {module}"
                assert set(names.split(", ")) <= set(face(room(module)).listed), page


def test_no_file_imports_one_that_imports_it() -> None:
    files = {named(path): path for path in modules() if top(path) != "__init__"}
    arrows = {name: read_files(path, files) - {name} for name, path in files.items()}
    TopologicalSorter(arrows).prepare()  # raises CycleError, which names the files


@pytest.mark.parametrize("library", HOMES)
def test_each_heavy_library_has_one_home(library: str) -> None:
    for path in modules():
        if library in {name.split(".")[0] for name in imports(path)}:
            assert str(path.relative_to(PACKAGE)).startswith(HOMES[library]), path


def test_light_modules_import_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "coremltools", "timm", "transformers"}
    wrong = [
        str(path)
        for path in modules()
        if top(path) in LIGHT
        and heavy & {name.split(".")[0] for name in imports(path, only_at_import=True)}
    ]
    assert not wrong, "\n".join(wrong)


def test_the_picture_is_of_these_packages(tmp_path: Path) -> None:
    assert {package for _, package, _ in SPINE} <= set(PACKAGES)
    drawn = tmp_path / "drawn.svg"
    command = [sys.executable, ROOT / "benchmarks" / "picture.py", "--output", drawn]
    subprocess.run(command, check=True)
    assert (ROOT / "docs" / "architecture.svg").read_text() == drawn.read_text(), (
        "run `make picture`"
    )


def literals(path: Path) -> set[str]:
    """Return the texts of a file, those of a `match` or a default included."""
    nodes = ast.walk(parsed(path))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def test_no_format_is_named_outside_the_backends() -> None:
    """A test of the format's name is a fact that the backend's `BackendInfo` lacks."""
    formats = {info.parent.name for info in (PACKAGE / "backends").glob("*/info.py")}
    assert {"coreml", "coreai", "mcu"} <= formats
    outside = (path for path in modules() if top(path) != "backends")
    wrong = {str(path): names for path in outside if (names := formats & literals(path))}
    assert not wrong


def test_a_backend_of_firmware_is_its_own() -> None:
    """Nothing names the microcontroller's modules, not even as text, but for its own."""
    others = (p for p in modules() if not p.is_relative_to(PACKAGE / "backends" / "mcu"))
    assert not [str(path) for path in others if "backends.mcu" in path.read_text()]


def test_every_file_is_one_room() -> None:
    long = {str(p): n for p in modules() if (n := len(p.read_text().splitlines())) > 400}
    assert not long
