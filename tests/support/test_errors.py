"""Every error survives the way from one process to another, and the documentation knows its exit code."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from edgevit import errors
from edgevit.cli.main import main
from edgevit.errors import (
    DeviceError,
    DeviceProblem,
    EdgevitError,
    EnvironmentProblem,
    InternalError,
    ModelError,
    UserError,
    revived,
)
from edgevit.support.bug_report import attach_report
from tests import ROOT


def kinds(kind: type[EdgevitError] = EdgevitError) -> Iterator[type[EdgevitError]]:
    for child in kind.__subclasses__():
        yield child
        yield from kinds(child)


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda kind: kind.__name__))
def test_an_error_comes_back_whole_from_its_json(kind: type[EdgevitError]) -> None:
    error = kind("a message", where="net.py:1", why="because\nof this", hint="do that")
    again = revived(json.loads(json.dumps(error.as_dict())))
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.as_dict() == error.as_dict()


def test_a_device_that_may_answer_again_is_remembered() -> None:
    described = json.loads(json.dumps(DeviceError("no answer", retryable=True).as_dict()))
    assert revived(described).as_dict()["retryable"] is True


def test_an_error_of_another_version_is_still_one_of_ours() -> None:
    described = {**EdgevitError("new").as_dict(), "error": "Mapping"}
    assert revived(described).message == "new"


def test_no_error_lives_elsewhere() -> None:
    for path in sorted((ROOT / "edgevit").rglob("*.py")):
        if re.search(r"^class \w+\(\w*Error\):", path.read_text(), re.MULTILINE):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            importlib.import_module(name)
    assert {kind.__module__ for kind in kinds() if "edgevit" in kind.__module__} == {
        errors.__name__
    }


EXIT_CODES = {
    "UsageError": 2,
    "ModelError": 3,
    "WeightsError": 4,
    "CaptureError": 5,
    "UnsupportedOpError": 6,
    "TargetError": 7,
    "MemoryLimitError": 8,
    "ParityError": 9,
    "MissingToolError": 10,
    "OutputError": 11,
    "PackageError": 12,
    "DelegationError": 13,
    "BackendRuntimeError": 14,
    "EnginePlacementError": 15,
    "CalibrationError": 16,
    "DeviceError": 17,
    "StoreError": 18,
    "BudgetError": 19,
    "ForecastError": 20,
    "PluginError": 21,
    "LossyStepError": 9,
    "InternalError": 70,
    "ConverterError": 70,
}
BRANCHES = (UserError, EnvironmentProblem, DeviceProblem, InternalError)


def concrete() -> list[type[EdgevitError]]:
    return [kind for kind in kinds() if kind.__module__ == errors.__name__ and raised(kind)]


def raised(kind: type[EdgevitError]) -> bool:
    return kind not in BRANCHES or kind is InternalError


def test_exit_codes_are_stable() -> None:
    assert {kind.__name__: kind.exit_code for kind in concrete()} == EXIT_CODES


def test_every_error_is_on_one_branch_and_has_a_code_of_its_own() -> None:
    assert set(EdgevitError.__subclasses__()) >= set(BRANCHES)
    for kind in concrete():
        assert sum(issubclass(kind, branch) for branch in BRANCHES) == 1, kind
        assert kind.__name__.endswith("Error"), kind
    codes = [kind.__dict__["code"] for kind in concrete()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"E\d{4}", code) for code in codes)


def test_the_documentation_and_the_docstring_list_all_codes() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    rows = re.findall(r"^\| (E\d{4}) \| (\d+) \| `(\w+)` \| \S.* \| \S.* \|$", text, re.MULTILINE)
    codes = {(kind.code, str(kind.exit_code), kind.__name__) for kind in concrete()}
    assert len(rows) == len(codes) and set(rows) == codes
    drawn = re.findall(r"[├└]─ (\w+) +(E\d{4})", errors.__doc__ or "")
    assert sorted(drawn) == sorted((kind.__name__, kind.code) for kind in concrete())
    assert "does not compute the same thing ends with 9" in " ".join(text.split())


def test_text_and_json_have_the_code_and_one_word_for_the_hint() -> None:
    error = ModelError("no model", where="a", why="b", hint="c", retryable=True)
    assert str(error) == "error[E0003]: no model\n  where  a\n  why    b\n  try    c"
    described = error.as_dict()
    assert (described["code"], described["hint"], described["retryable"]) == ("E0003", "c", True)
    assert "try" not in described


def test_an_error_of_an_earlier_version_keeps_its_hint() -> None:
    described = {"error": "ModelError", "message": "m", "where": "", "why": "", "try": "this"}
    assert revived(described).hint == "this"


@pytest.mark.parametrize("urls", [[], ["Docs, https://d.example", "Issues, https://i.example"]])
def test_a_bug_names_the_tracker_of_the_package(
    urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Message()
    for url in urls:
        package["Project-URL"] = url
    monkeypatch.setattr("importlib.metadata.metadata", lambda name: package)
    address = "https://i.example" if urls else "the project's issue tracker (see README)"
    assert InternalError("broken").hint == f"report it at {address}"
    assert InternalError("broken", hint="go on").hint == f"go on, and report it at {address}"


def test_a_crash_of_the_command_writes_a_bug_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("https://me:hunter2@host")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("edgevit.cli.main._run", broken)
    assert main(["targets", "--json"]) == 70
    described = json.loads(capsys.readouterr().out)
    (report,) = tmp_path.iterdir()
    assert described["report"] == str(report) and str(report) in described["hint"]
    text = report.read_text()
    assert "ZeroDivisionError" in text and "in broken" in text and "hunter2" not in text
    assert revived(described).as_dict() == described


def test_a_bug_report_that_cannot_be_written_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    error = InternalError("broken")
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    attach_report(error)
    assert not error.report and error.hint == InternalError("broken").hint
