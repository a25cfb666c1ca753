"""Integer graphs on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevit.errors import PackageError
from edgevit.integer.file import load_graph, save_graph
from edgevit.integer.text import integer_text
from tests.integer.attention import attention


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    graph = attention(np.random.default_rng(0), tokens=3, heads=2, depth=4)
    save_graph(graph, tmp_path / "net.safetensors", {"core": "m4"})
    again, more = load_graph(tmp_path / "net.safetensors")
    assert integer_text(again) == integer_text(graph)  # with a checksum of every tensor
    assert more == {"core": "m4"}


@pytest.mark.parametrize("damage", ["cut", "other", "missing"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "net.safetensors"
    save_graph(attention(np.random.default_rng(0), 3, 2, 4), path)
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "other":
        path.write_bytes(data.replace(b"67108864", b"-7108864"))  # a multiplier
        assert path.read_bytes() != data
    else:
        path.unlink()
    with pytest.raises(PackageError, match="cannot be read"):
        load_graph(path)
