"""`edgevit new target|plugin NAME`: files to begin with, as the "adding a ..." pages describe."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from edgevit.errors import OutputError, UsageError
from edgevit.support.resources import data_dir
from edgevit.support.terminal import show

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LIKE = """\
# What differs from {like}, and where you read it. `edgevit targets {like}` prints the rest.
name = "{name}"
title = "{title}, changed"
extends = "{like}"

# [os]
# minimum = "18.0"

# One line for each fact above that is yours: soc os cpu gpu npu memory region emulator
# [source]
# os = "our app requires iOS 18"
"""


def add_new(command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser]) -> None:
    parser = command("new", run_new, "Write a target file or a plugin's folder to begin with.")
    parser.add_argument("kind", choices=("target", "plugin"), help="What to write.")
    parser.add_argument("name", metavar="NAME", help="Its name: small letters, digits and dashes.")
    parser.add_argument(
        "--like", metavar="T", help="Target that the new one extends [default: a bare board]."
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="File or folder to write [default: NAME.toml or edgevit-NAME].",
    )


def run_new(options: argparse.Namespace) -> int:
    _require_name(options.name)
    if options.kind == "plugin" and options.like is not None:
        raise UsageError("--like is for targets", where="--like", why="a plugin extends nothing", hint="leave it out")  # fmt: skip
    default = f"{options.name}.toml" if options.kind == "target" else f"edgevit-{options.name}"
    path = Path(options.output or default)
    _require_absent(path)
    files = (
        {path: _target_text(options.name, options.like)}
        if options.kind == "target"
        else plugin_files(options.name, path)
    )
    _write(files)
    steps = _next_steps(options.kind, options.name, path)
    if options.json:
        show(json.dumps({"files": [str(file) for file in files], "next": steps}))
    else:
        show("\n".join([f"wrote {path}", "next", *(f"  {step}" for step in steps)]))
    return 0


def plugin_files(name: str, folder: Path) -> dict[Path, str]:
    """Return the sample distribution under another name."""
    sample = data_dir("examples/plugin")
    return {
        folder / _renamed(str(file.relative_to(sample)), name, folder): _renamed(
            file.read_text(encoding="utf-8"), name, folder
        )
        for file in sorted(sample.rglob("*"))
        if file.suffix in {".py", ".toml", ".md"}
    }


def _renamed(text: str, name: str, folder: Path) -> str:
    module = name.replace("-", "_")
    words = {
        "./examples/plugin": f"./{folder.name}",
        "edgevit_sample": f"edgevit_{module}",
        "edgevit-sample": f"edgevit-{name}",
        "pt2_": f"{module}_",
        "pt2": name,
        "Sample": "".join(part.capitalize() for part in name.split("-")),
        "sample": name,
    }
    for old, new in words.items():
        text = text.replace(old, new)
    return text


def _target_text(name: str, like: str | None) -> str:
    from edgevit.targets import list_targets, load_target

    if any(name in (target.name, *target.aliases) for target in list_targets()):
        raise UsageError(
            f"`{name}` is a target already",
            where="NAME",
            why="a shipped target has that name or alias",
            hint=f"edgevit new target my-{name} --like {name}",
        )
    if like is None:
        board = data_dir("examples/board.toml").read_text(encoding="utf-8")
        return re.sub(r"^aliases.*\n", "", board, flags=re.M).replace("my-board", name)
    base = load_target(like)
    return _LIKE.format(name=name, title=base.title, like=base.name)


def _next_steps(kind: str, name: str, path: Path) -> list[str]:
    if kind == "target":
        file = path if path.is_absolute() else f"./{path}"
        return [
            f"edgevit targets {file}",
            f"edgevit export zoo:vit-i32-p8-d32-h2-l1 --target {file}",
        ]
    return [
        f"pip install {path if path.is_absolute() else f'./{path}'}",
        f"edgevit export {name}:8 --target {name}-board -o out/{name}",
    ]


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > 64:
        raise UsageError(
            f"`{name[:80]}` is no name",
            where="NAME",
            why="it is of small letters and digits, with single dashes between, and begins with a letter",
            hint="edgevit new target my-board",
        )


def _require_absent(path: Path) -> None:
    if path.exists():
        raise OutputError(
            f"{path} is there already", where=str(path), why="nothing is overwritten", hint="-o PATH writes elsewhere"
        )  # fmt: skip


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written",
                where=str(path),
                why=error.strerror or str(error),
                hint="-o PATH writes elsewhere",
            ) from error
