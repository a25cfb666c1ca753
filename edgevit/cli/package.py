"""`edgevit package`: exported firmware for the tools that people build with."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from edgevit.errors import OutputError, UsageError, suggest
from edgevit.support.terminal import show

KINDS = ("arduino", "platformio", "zephyr", "esp-idf", "cmsis-pack", "rust", "library", "weights")


def add_package(command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser]) -> None:
    parser = command("package", run_package, "Package exported firmware for other build tools.")
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="DIR",
        help="Folders that `export` wrote: one, or several of one core for `library`.",
    )
    parser.add_argument(
        "--for",
        dest="kinds",
        required=True,
        metavar="F,...",
        help=f"Packages to write: {', '.join(KINDS)}.",
    )
    parser.add_argument(
        "--weights-version",
        type=_version,
        default=1,
        metavar="N",
        help="Version of an image of `weights`, 1 to 4294967295 [default: 1].",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="Folder to write [default: DIR-packages]."
    )


def _version(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) < 1 << 32:
        raise argparse.ArgumentTypeError("a version is a whole number of 1 to 4294967295")
    return int(text)


def run_package(options: argparse.Namespace) -> int:
    from edgevit.support.backend_info import BACKENDS

    kinds = _kinds(options.kinds)
    folders = dict.fromkeys(map(Path, options.folders))
    targets = {folder: _target(folder) for folder in folders}
    output = Path(options.output or f"{next(iter(folders)).resolve()}-packages")
    if output.exists():
        raise OutputError(
            f"{output} exists", where="-o", why="nothing is overwritten", hint="another -o, or delete it"
        )  # fmt: skip
    try:
        backend = next(backend for backend in BACKENDS.values() if backend.packages)
        written = backend.part(str(backend.packages))(
            targets, kinds, output, options.weights_version
        )
    except OSError as error:
        raise OutputError(
            f"{output} cannot be written", where=str(output), why=str(error), hint="another -o"
        ) from error
    if options.json:
        show(json.dumps({"packages": dict(zip(kinds, map(str, written), strict=True))}))
    else:
        show("\n".join(f"  {kind:<11} {path}" for kind, path in zip(kinds, written, strict=True)))
    return 0


def _target(folder: Path) -> str:
    """Return the target of an exported folder that is as it was written, and firmware."""
    from edgevit.exported import read_manifest, require_untouched
    from edgevit.support.backend_info import BACKENDS

    manifest = read_manifest(folder)
    require_untouched(folder, manifest)
    backend = BACKENDS[manifest["format"]]
    if backend.packages is None:
        raise UsageError(
            f"{backend.title} has no packages",
            where=str(folder),
            why="they are of C sources, which firmware consists of",
            hint="export with --target of a microcontroller",
        )
    return manifest["target"]


def _kinds(words: str) -> Sequence[str]:
    kinds = tuple(dict.fromkeys(words.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(
                f"no package is called `{kind}`",
                where="--for",
                why="there are " + ", ".join(KINDS),
                hint=suggest(kind, KINDS) or "one of these",
            )
    return kinds
