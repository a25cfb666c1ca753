"""The public face: light, typed, documented, and the only thing that examples import."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import edgevit
from edgevit.export.api import ExportOptions
from edgevit.support.notebook import Row, Shown
from tests import ROOT

FUNCTIONS = ("check", "export", "forecast", "inspect", "profile", "tune", "verify")
RIGHT = '''
from pathlib import Path
import torch
import edgevit
from edgevit.backends.mcu import FirmwareOptions

module, x = torch.nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)
one: edgevit.ExportResult = edgevit.export(module, (x,), target="iphone")
one = edgevit.export(module, {"input": x}, target="iphone", format="coreml", precision="fp16")
one = edgevit.export("timm:shvit_s1", target="iphone", input_size=192, output=Path("o"), batch=1)
one = edgevit.export(lambda t: module(t), x, target="iphone", lossy=["gelu=tanh"])
one = edgevit.export(torch.export.export(module, (x,)), target="iphone")
several: edgevit.ExportResults = edgevit.export(module, [x], target="pixel-6", formats=["onnx", "tflite"])
again: edgevit.ExportResult = several["onnx"]
firmware = FirmwareOptions(optimize="ram")
one = edgevit.export(module, x, target="qemu-m4", backend_options=firmware, calibration=edgevit.CalibrationOptions())
report: edgevit.GraphReport = edgevit.inspect(module, x, target="iphone")
verdict: edgevit.Verdict = edgevit.verify(one)
session: edgevit.MeasuredSession = edgevit.profile([one, "out/b"], rounds=3)
checked: edgevit.Check = edgevit.check(one, edgevit.Budgets(size_bytes=1))
tuned: edgevit.Tuned = edgevit.tune("net.py:build", target="linux-x86", budget="30")
predicted: edgevit.ModelForecast = edgevit.forecast(module, x, target="iphone")
devices: tuple[edgevit.Target, ...] = edgevit.targets()
device: edgevit.Target = edgevit.load_target("iphone")
try:
    pass
except (edgevit.UserError, edgevit.EnvironmentProblem, edgevit.DeviceProblem) as error:
    text: str = error.hint
'''  # fmt: skip
WRONG = """
import torch
import edgevit
from edgevit.backends.mcu import FirmwareOptions

module, x = torch.nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)
edgevit.export(module, (x,))
edgevit.export(module, (x,), target="iphone", precison="fp16")
edgevit.export(module, (x,), target="iphone", batch="two")
edgevit.export(module, (x,), target="iphone", format="onnx", formats=["onnx"])
edgevit.export(3, (x,), target="iphone")
edgevit.export(module, 3, target="iphone")
edgevit.export(module, (x,), target="pixel-6", formats=["onnx"]).artifact
edgevit.export(module, (x,), target="iphone")["onnx"]
edgevit.inspect(module, (x,), tarket="iphone")
edgevit.profile("out/a", round=3)
edgevit.tune(module, target="iphone")
edgevit.forecast("timm:shvit_s1", "iphone")
edgevit.check("out/a", budgets=3)
FirmwareOptions(optimise="ram")
edgevit.CalibrationOptions().observer = "mse"
edgevit.exports
"""
WRONG_LINES = {n for n, line in enumerate(WRONG.splitlines(), 1) if n > 6 and line}


def test_import_is_light() -> None:
    script = (
        "import time, sys; t = time.perf_counter(); import edgevit; d = time.perf_counter() - t; "
        "assert not {'torch', 'numpy', 'typing', 'edgevit.export'} & (set(sys.modules) - before), sys.modules; "
        "print(d)"
    )
    times = [
        float(subprocess.check_output([sys.executable, "-c", "import sys; before = set(sys.modules); " + script]))
        for _ in range(3)
    ]  # fmt: skip
    assert min(times) < 0.1


def test_every_public_name_is_there_and_listed() -> None:
    for name in edgevit.__all__:
        assert getattr(edgevit, name) is not None
    assert set(edgevit.__all__) <= set(dir(edgevit))
    assert callable(edgevit.tune) and callable(edgevit.forecast) and callable(edgevit.targets)


def test_functions_stay_beside_packages_of_the_same_name() -> None:
    script = (
        "import edgevit.tune.tune, edgevit.export.pipeline, edgevit.forecast.model, edgevit.targets.catalog, edgevit\n"
        "assert all(callable(f) for f in (edgevit.tune, edgevit.export, edgevit.forecast, edgevit.targets))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_documented(name: str) -> None:
    function = getattr(edgevit, name)
    text = inspect.getdoc(function) or ""
    for heading in ("Args:", "Returns:", "Raises:", "Example:"):
        assert heading in text, heading
    described = text.partition("Args:")[2].partition("Returns:")[0]
    named = {
        n for line in re.findall(r"^    ([\w, ]+):", described, re.M) for n in line.split(", ")
    }
    parameters = inspect.signature(function).parameters
    assert named == set(parameters)
    assert not [p for p in parameters.values() if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    ast.parse(inspect.cleandoc(text.partition("Example:")[2]))


def test_the_overloads_have_all_keywords() -> None:
    own = set(inspect.signature(edgevit.export).parameters)
    typed = set(typing.get_type_hints(ExportOptions))
    assert own - typed == {"model", "example_inputs", "target", "format", "formats"}
    assert typed < own


def pyright(path: Path) -> list[int]:
    """Return the lines with errors."""
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout
    return [int(n) for n in re.findall(rf"{path.name}:(\d+):\d+ - error", said)]


@pytest.mark.slow
def test_types_see_every_keyword(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(RIGHT)
    wrong.write_text(WRONG)
    assert pyright(right) == []
    assert set(pyright(wrong)) == WRONG_LINES


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "edgevit" / "py.typed").is_file()  # hatchling ships all of the package


def pieces_of_python() -> dict[str, str]:
    """Return the code of README, docs and examples. `examples/plugin` is a backend, and not a user."""
    pieces = {}
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        blocks = re.findall(r"```python\n(.*?)```", path.read_text(), re.S)
        indented = re.findall(r"(?:^    .*\n|^\n)+", path.read_text(), re.M)
        pieces[path.name] = "\n".join([*blocks, *indented])
    for path in (ROOT / "examples").glob("*"):
        if path.suffix in (".py", ".sh"):
            pieces[path.name] = path.read_text()
    return pieces


def test_docs_and_examples_import_faces_only() -> None:
    deep = re.compile(r"^\s*(?:from|import) (edgevit\.(?!backends\.\w+ )\w+\.[\w.]+)", re.M)
    adding = {name for name in pieces_of_python() if name.startswith("adding-a-")}
    for name, code in pieces_of_python().items():
        if name not in adding:
            assert not deep.findall(code), name


class Result(Shown):
    def _title(self) -> str:
        return "<script>alert(1)</script>\nnext"

    def _rows(self) -> list[Row]:
        return [("a & b", "<img src=x onerror=y>\nmore"), *((f"row {k}", "v") for k in range(40))]


def test_results_show_themselves_briefly_and_escaped() -> None:
    page = Result()._repr_html_()
    assert "<script>" not in page and "<img" not in page and "a &amp; b" in page
    assert page.count("<tr>") == 13 and "29 more" in page
    text = repr(Result())
    assert len(text.splitlines()) == 14 and "\nnext" not in text
