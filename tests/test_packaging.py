"""The recipes in `packaging/` name what the project has."""

from __future__ import annotations

import re
import tomllib

import yaml

import edgevit
from tests import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_INSTRUCTIONS = {"FROM", "RUN", "COPY", "WORKDIR", "USER", "ENTRYPOINT", "CMD"}


def instructions() -> list[list[str]]:
    """The image's instructions as words; the parser of Docker itself reads the same."""
    text = (ROOT / "packaging" / "Dockerfile").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [line.split() for line in lines.replace("\\\n", " ").splitlines() if line.strip()]


def test_the_image_copies_what_is_there_and_installs_every_format() -> None:
    rows = instructions()
    assert {row[0] for row in rows} == _INSTRUCTIONS
    copied = [path for row in rows if row[0] == "COPY" and "--from" not in row[1] for path in row[1:-1]]  # fmt: skip
    assert copied and all((ROOT / path).exists() for path in copied)
    install = next(row for row in rows if row[0] == "RUN" and any("[all]" in word for word in row))
    assert "-c" in install and "--extra-index-url" in install
    assert rows[-2] == ["ENTRYPOINT", '["edgevit"]']
    stages = [row[3] for row in rows if row[0] == "FROM" and len(row) > 3]
    used = [word.partition("=")[2] for row in rows for word in row if word.startswith("--from=")]
    assert set(used) == set(stages)
    user = rows.index(["USER", "edgevit"])
    assert not [row for row in rows[user:] if row[0] == "RUN"]


def test_the_conda_recipe_needs_what_the_project_needs() -> None:
    recipe = yaml.safe_load((ROOT / "packaging" / "conda" / "recipe.yaml").read_text())
    assert recipe["context"]["version"] == edgevit.__version__
    assert f">={recipe['context']['python_min']}" == PROJECT["requires-python"]
    run = {line.replace(" ", "").replace("pytorch", "torch") for line in recipe["requirements"]["run"]}  # fmt: skip
    assert set(PROJECT["dependencies"]) == run - {"python>=${{python_min}}"}
    (script,) = recipe["build"]["python"]["entry_points"]
    name, place = re.split(r"\s*=\s*", script)
    assert PROJECT["scripts"][name] == place
    assert recipe["about"]["license"] == PROJECT["license"]
