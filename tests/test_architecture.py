"""A stage never imports a later one, and each heavy library is imported in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "edgevit"

# From the first stage to the last. A module may import from its own layer and those before it.
LAYERS = (
    (
        "errors",
        "data",
        "option_values",
        "quiet",
        "host",
        "tunable",
        "pareto_plot",
        "support",
        "__init__",
    ),
    (
        "targets",
        "graph",
        "parity",
        "stages",
        "output",
        "manifest_file",
        "doctor",
        "golden",
        "array_file",
        "other_inputs",
    ),
    ("integer", "zoo", "model_options"),
    ("rewrites", "frontend", "forecast"),
    ("quant",),
    ("backends", "manifest_schema", "exported_folder", "plan_file"),
    ("report",),
    ("calls", "report_page", "command_line"),
    ("leave", "output_folder", "wishes", "reference"),
    ("pipeline", "verify", "profiling", "firmware_runs", "forecasting"),
    ("profile_report", "planned"),
    ("measure", "exporting"),
    ("tune", "sweep", "budgets"),
    ("reporting",),
    ("budget_report",),
    ("matrix",),
    ("matrix_report",),
    (
        "commands",
        "commands_check",
        "commands_forecast",
        "commands_measure",
        "commands_plan",
        "commands_report",
        "commands_sweep",
        "commands_trust",
        "commands_tune",
    ),
    ("cli",),
    ("__main__",),
)
# library -> the only folders or files that may import it
HOMES = {
    "coremltools": ("backends/coreml",),
    "executorch": ("backends/executorch",),
    "litert_torch": ("backends/tflite",),
    "ai_edge_litert": ("backends/tflite",),
    "onnx": ("backends/onnx",),
    "onnxruntime": ("backends/onnx",),
    "tvm": ("backends/tvm",),
    "timm": ("frontend/timm_models.py",),
    "transformers": ("frontend",),
    "torchvision": ("frontend/torchvision_ops.py",),
    "safetensors": ("frontend", "golden.py", "integer/file.py"),
    "unicorn": ("backends/mcu/emulator",),
    "elftools": ("backends/mcu/elf.py",),
    "capstone": ("backends/mcu",),
    "optuna": ("tune/study.py",),
    "distributed": ("sweep",),
    "psycopg": ("measure/database.py",),
}
LIGHT = (
    "errors",
    "support",
    "data",
    "quiet",
    "targets",
    "doctor",
    "stages",
    "output",
    "host",
    "commands",
    "commands_check",
    "commands_measure",
    "commands_plan",
    "commands_forecast",
    "commands_report",
    "commands_sweep",
    "commands_trust",
    "commands_tune",
    "cli",
    "__init__",
    "__main__",
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer(name: str) -> int:
    return next(k for k, names in enumerate(LAYERS) if name in names)


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, only_at_import: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if not only_at_import else iter(tree.body)
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_stage_imports_a_later_one(path: Path) -> None:
    if top(path) == "__init__":
        return  # the public names, looked up lazily
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "edgevit" and len(parts) > 1:
            assert layer(parts[1]) <= layer(top(path)), f"{path} imports {name}"


@pytest.mark.parametrize("library", HOMES)
def test_each_heavy_library_has_one_home(library: str) -> None:
    for path in modules():
        if library in {name.split(".")[0] for name in imports(path)}:
            assert str(path.relative_to(PACKAGE)).startswith(HOMES[library]), path


@pytest.mark.parametrize("path", [p for p in modules() if top(p) in LIGHT], ids=str)
def test_light_modules_import_nothing_heavy(path: Path) -> None:
    heavy = {"torch", "numpy", "coremltools", "timm", "transformers"}
    assert not heavy & {name.split(".")[0] for name in imports(path, only_at_import=True)}


def test_every_file_is_one_room() -> None:
    long = {str(p): n for p in modules() if (n := len(p.read_text().splitlines())) > 400}
    assert not long
