"""Every error survives the way from one process to another, and the documentation knows its exit code."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator

import pytest

from edgevit import errors
from edgevit.errors import DeviceError, EdgevitError, revived
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
    described = json.loads(json.dumps(DeviceError("no answer", passing=True).as_dict()))
    assert revived(described).as_dict()["passing"] is True


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


def test_the_documentation_and_the_code_agree_on_exit_codes() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    told = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE))
    own = (k for k in kinds() if k.__module__ == errors.__name__ and "exit_code" in vars(k))
    ours = {str(k.exit_code): k.__name__ for k in own}
    assert told == ours
    assert "does not compute the same thing ends with 9" in " ".join(text.split())
