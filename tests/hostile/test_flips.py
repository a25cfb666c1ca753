"""A flip in any byte of any file of an exported folder is refused, before any runtime sees the artifact."""

from __future__ import annotations

import random
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from edgevit.errors import PackageError
from edgevit.exported.verify import verify
from tests.hostile.case import EXPORTS, Exports


@pytest.mark.parametrize("format", EXPORTS)
def test_a_flip_of_any_byte_is_refused(
    format: str,
    exports: Exports,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(shutil.copytree(exports.folder(format), tmp_path / format))
    monkeypatch.setattr(
        import_module("edgevit.exported.verify"),
        "backend_of",
        lambda name: pytest.fail(f"{name} opened"),
    )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    draw = random.Random(format)
    for number in range(request.config.getoption("--flips")):
        file = draw.choice(files) if number % 4 else folder / "edgevit.json"
        content = file.read_bytes()
        place, mask = draw.randrange(len(content)), draw.randrange(1, 256)
        flipped = bytearray(content)
        flipped[place] ^= mask
        file.write_bytes(flipped)
        try:
            verify(folder, trust=True)
            pytest.fail(f"byte {place} of {file.name} ^ {mask:#x} went unnoticed")
        except PackageError:
            file.write_bytes(content)


def test_all_bytes_of_a_manifest(exports: Exports, tmp_path: Path) -> None:
    """Each one, in the cheapest way: the spaces and the digest itself are no exception."""
    from edgevit.exported.manifest_file import is_whole

    content = (exports.folder("onnx") / "edgevit.json").read_bytes()
    assert is_whole(content)
    flipped = bytearray(content)
    for place in range(len(content) - 4000, len(content)):
        flipped[place] ^= 0x20
        assert not is_whole(bytes(flipped)), place
        flipped[place] ^= 0x20
    assert not is_whole(content + b"\n") and not is_whole(content[:-1])
