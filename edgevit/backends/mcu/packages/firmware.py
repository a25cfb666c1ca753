"""Exported firmware as a package takes it: its files, and what its header says."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends.mcu.board.golden import filled
from edgevit.errors import UsageError
from edgevit.support.resources import data_dir

_SIZE = re.compile(r"#define EV_MODEL_(INPUT|OUTPUT)_\d+_BYTES (\d+)u /\* (int8|int16)\[")
_GOLDEN = ("ev_golden.c", "ev_golden.h")
_WIDTH = {"int8": 1, "int16": 2}


@dataclass(frozen=True)
class PortSize:
    dtype: str
    bytes: int

    @property
    def elements(self) -> int:
        return self.bytes // _WIDTH[self.dtype]


@dataclass(frozen=True)
class Firmware:
    folder: Path  # the bundle
    target: str
    name: str  # of the network
    version: str
    header: str

    @classmethod
    def of(cls, folder: Path, target: str) -> Firmware:
        header = (folder / "edgevit_model.h").read_text()
        return cls(folder, target, _defined(header, "NAME"), _defined(header, "VERSION"), header)

    def require_c(self) -> None:
        if not (self.folder / "edgevit_model_weights.c").is_file():
            raise UsageError(
                "packages have weights as C",
                where=str(self.folder),
                why="these were exported in another form",
                hint="export again with --weights-as c, or --for weights of a binary",
            )

    def weights(self) -> bytes:
        """Return all weights and tables, from a C array or a binary."""
        binary = self.folder / "edgevit_model_weights.bin"
        if binary.is_file():
            return binary.read_bytes()
        self.require_c()
        text = (self.folder / "edgevit_model_weights.c").read_text()
        return bytes(
            int(number) for number in text.partition("= {")[2].partition("}")[0].split(",")
        )

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_") or "network"

    @property
    def hash(self) -> str:
        return _defined(self.header, "HASH")

    @property
    def sources(self) -> list[str]:
        """Return the C and assembly of the network, by their paths in the bundle."""
        kernels = sorted(path for path in (self.folder / "kernels").iterdir() if path.suffix in {".c", ".S"})  # fmt: skip
        return ["edgevit_model.c", "edgevit_model_weights.c", *(f"kernels/{path.name}" for path in kernels)]  # fmt: skip

    @property
    def headers(self) -> list[str]:
        include = sorted((self.folder / "include").glob("*.h"))
        return ["edgevit_model.h", "edgevit_model_weights.h", *(f"include/{path.name}" for path in include)]  # fmt: skip

    def ports(self, kind: str) -> list[PortSize]:
        return [PortSize(d, int(n)) for k, n, d in _SIZE.findall(self.header) if k == kind]

    def number(self, name: str) -> int | None:
        """Return the number that the header defines; of a release build, where there are two."""
        numbers = re.findall(rf"#define EV_MODEL_{name} (\d+)u", self.header)
        return int(numbers[-1]) if numbers else None

    @property
    def has_states(self) -> bool:
        """Check for states that stay in the arena between calls."""
        return self.number("STATE_BYTES") is not None

    def flags(self) -> list[str]:
        """Return gcc's flags for the core."""
        text = (self.folder / "cmake" / "gcc.cmake").read_text()
        match = re.search(r'CMAKE_C_FLAGS_INIT "(.+)"', text)
        return match[1].split() if match else []

    def copy_library(self, folder: Path) -> None:
        """Copy the network's own files, without port and build files."""
        for name in (*self.sources, *self.headers, "LICENSE", "README.md", "memory.svg"):
            if (self.folder / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.folder / name, folder / name)

    def copy_golden(self, folder: Path) -> None:
        """Copy the golden vectors, and the program's part that compares with them."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _GOLDEN:
            shutil.copy(self.folder / "selftest" / name, folder)
        shutil.copy(templates() / "ev_example.h", folder)

    def vectors(self, kind: str) -> list[bytes]:
        """Return the golden inputs or outputs."""
        text = (self.folder / "selftest" / "ev_golden.c").read_text()
        arrays = re.findall(rf"{kind}_\d+\[\d+\] = \{{([\d,\s]*)\}}", text)
        return [bytes(int(number) for number in array.split(",")) for array in arrays]


def templates() -> Path:
    return data_dir("kernels") / "packages"


def write_filled(template: str, path: Path, **values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(filled((templates() / template).read_text(), values))


def _defined(header: str, name: str) -> str:
    match = re.search(rf'#define EV_MODEL_{name} "(.*?)"', header)
    return match[1] if match else ""
