"""One C library of several networks: each under names of its own, kernels once, and one arena as large as the largest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from edgevit.backends.mcu.packages.firmware import Firmware, write_filled
from edgevit.errors import UsageError

_WORDS = re.compile(r"\b(ev_model|edgevit_model|EV_MODEL|EDGEVIT_MODEL)(?=_|\b)")
_SHARED = ("kernels", "include")


def library(networks: Sequence[Firmware], folder: Path) -> Path:
    names = _names(networks)
    _require_one_core(networks)
    for name, network in zip(names, networks, strict=True):
        for file in (*network.sources, *network.headers):
            _copy(network.folder / file, folder, file, name)
    sources = sorted(
        str(path.relative_to(folder).as_posix())
        for path in folder.rglob("*")
        if path.suffix in {".c", ".S"}
    )
    write_filled("library/ev_models.h", folder / "ev_models.h", **_header(names, networks))
    write_filled(
        "library/CMakeLists.txt",
        folder / "CMakeLists.txt",
        NAMES=", ".join(names),
        SOURCES="\n".join(f"  {source}" for source in sources),
    )
    return folder


def _names(networks: Sequence[Firmware]) -> list[str]:
    names = [
        re.sub(r"\W+", "_", network.folder.parent.resolve().name.lower()) for network in networks
    ]
    for name in names:
        if names.count(name) > 1 or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise UsageError(
                f"`{name}` cannot begin the names of a network in C",
                where=", ".join(str(network.folder.parent) for network in networks),
                why="they are named after their folders, each by another word that begins with a letter",
                hint="rename the folders",
            )
    return names


def _require_one_core(networks: Sequence[Firmware]) -> None:
    first = networks[0]
    for network in networks[1:]:
        if network.flags() != first.flags():
            raise UsageError(
                f"{network.folder.parent} is for another core than {first.folder.parent}",
                where=str(network.folder),
                why=f"{' '.join(network.flags())}, not {' '.join(first.flags())}",
                hint="export both for one --target",
            )


def _copy(source: Path, folder: Path, file: str, name: str) -> None:
    """Copy a file under the network's name; kernels are the same in all, or another version wrote them."""
    text = source.read_text()
    if file.partition("/")[0] in _SHARED:
        path = folder / file
        if path.is_file() and path.read_text() != text:
            raise UsageError(
                f"{file} differs between the exports",
                where=str(source),
                why="other versions of edgevit wrote them",
                hint="export both again",
            )
    else:
        path = folder / file.replace("edgevit_model", name)
        text = _WORDS.sub(lambda word: name.upper() if word[1].isupper() else name, text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _header(names: Sequence[str], networks: Sequence[Firmware]) -> dict[str, object]:
    """Return the arenas: one for all networks without states, and one for each network that has some."""
    pairs = list(zip(names, networks, strict=True))
    union = [f"    uint8_t {n}[{n.upper()}_ARENA_BYTES];" for n, net in pairs if not net.has_states]
    own = [
        f"/* Keeps the states of `{n}` between calls: no other network may have it. */\n"
        f"typedef struct {n}_arena {{\n    uint8_t bytes[{n.upper()}_ARENA_BYTES];\n}} {n}_arena __attribute__((aligned(16)));\n"
        for n, net in pairs
        if net.has_states
    ]
    return {
        "INCLUDES": "\n".join(f'#include "{name}.h"' for name in names),
        "UNION": "\n".join(union),
        "OWN": "\n".join(own),
    }
