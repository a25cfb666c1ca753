"""An asset of Core AI: its bytes, its metadata, the code that calls it, and what is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends.api import Expected, Lowering, backend_of
from edgevit.backends.coreai.bytecode import with_strings
from edgevit.backends.coreai.deterministic import PROGRAM
from edgevit.errors import MissingToolError
from edgevit.export.api import export
from edgevit.export.result import ExportResult
from edgevit.frontend.capture import capture
from edgevit.rewrites import engine
from edgevit.targets import load_target
from tests.backends.runtimes.through import eager, source_of

pytest.importorskip("coreai_torch")
IMAGE = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A net with constants beyond the file's own table, a norm and an attention block."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm = nn.Conv2d(3, 32, 8, 8), nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem(image).flatten(2).mT)
        return self.head((x + self.attention(x, x, x, need_weights=False)[0]).mean(1))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return export(
        Net(), IMAGE, target="iphone-17", format="coreai", labels=[*"abcdefghij"],
        output=tmp_path_factory.mktemp("coreai") / "net", mean=[0.5] * 3, std=[0.25] * 3,
    )  # fmt: skip


def hashes(asset: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(asset.iterdir())}


def test_the_lowering_and_what_ships_are_checked_in_the_runtime(exported: ExportResult) -> None:
    parity = {(p["stage"], p["precision"]): p for p in exported.manifest["parity"]}
    assert parity["runtime", "fp32"]["rel_l2"] < 1e-5
    assert 1e-5 < parity["runtime", "fp16"]["rel_l2"] < 1e-2  # rounded, so it was run
    assert all(entry["passed"] for entry in parity.values())
    assert {p.name for p in exported.directory.glob("*.aimodel")} == {exported.artifact.name}


def test_metadata_hold_labels_and_preprocessing(exported: ExportResult) -> None:
    metadata = json.loads((exported.artifact / "metadata.json").read_text())
    ours = metadata["creatorDefinedMetadata"]
    assert ours["edgevit.labels"] == [*"abcdefghij"]
    assert ours["edgevit.preprocess"]["mean"] == [0.5] * 3
    assert "creationDate" not in metadata


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(exported: ExportResult, tmp_path: Path) -> None:
    script = (
        "import edgevit; from tests.backends.coreai.test_coreai import IMAGE, Net;"
        "edgevit.export(Net(), IMAGE, target='iphone-17', format='coreai', labels=[*'abcdefghij'],"
        f" output={str(tmp_path / 'net')!r}, mean=[0.5] * 3, std=[0.25] * 3)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert hashes(tmp_path / "net" / exported.artifact.name) == hashes(exported.artifact)


def test_constants_are_named_by_their_order(exported: ExportResult) -> None:
    names: list[bytes] = []
    program = (exported.artifact / PROGRAM).read_bytes()
    assert with_strings(program, lambda text: names.append(text) or text) == program
    assert not [name for name in names if name.startswith(b"resource_")]
    assert b"constant_0" in names
    for data in (b"", b"ML\xefR", b"no bytecode"):
        with pytest.raises((ValueError, IndexError)):
            with_strings(data, lambda text: text)


def test_its_swift_names_the_inputs_and_outputs(exported: ExportResult) -> None:
    text = (exported.directory / "call" / "Call.swift").read_text()
    (port,), (result,) = exported.manifest["ports"]["inputs"], exported.manifest["ports"]["outputs"]
    assert f'"{port["name"]}": NDArray(scalars: input0, shape: [1, 3, 32, 32])' in text
    assert f'outputs.remove("{result["name"]}")?.ndArray, as: Float.self' in text
    assert 'forResource: "' + exported.artifact.stem in text
    assert text.count("{") == text.count("}") and "prepare(_ rgb" in text


def test_a_missing_converter_says_how_to_get_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "coreai_torch", None)
    with pytest.raises(MissingToolError) as caught:
        export(Net(), IMAGE, target="iphone-17", format="coreai", output=tmp_path / "net")
    assert "edgevit[coreai]" in caught.value.hint


MISREAD = {
    "a factor of a sum": lambda x: torch.add(x, x.flip(1), alpha=3) - torch.rsub(x, 2.0, alpha=0.5),
    "both of numbers": lambda x: torch.logical_and((x * 2).int(), x.relu()) * x,
    "a resize by a fraction": lambda x: nn.functional.interpolate(x[..., :3, :3], size=(7, 7)),
    "a scalar of one value": lambda x: x.mean((0, 1, 2)).amax().reshape(()) + x.mean((1, 2, 3))[0],
    "a mean without the padding": lambda x: nn.functional.avg_pool2d(
        x, 3, 2, 1, count_include_pad=False
    ),
    "whole parts": lambda x: (x * 9).int() * x + (x * 9).int() / 4,
    "numbers of no float16": lambda x: nn.functional.threshold(x, 0.1, 0.7),
    "windows along an axis": lambda x: x.unfold(3, 3, 2),
}


class Each(nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [function(x) for function in MISREAD.values()]


def test_what_the_converter_misreads(tmp_path: Path) -> None:
    source = source_of(Each(), torch.randn(1, 4, 8, 8))
    backend = backend_of("coreai")
    program, _ = engine.run(capture(source), backend.rules)
    target = load_target("iphone-17")
    artifact = backend.lower(Lowering(program, source, target, "fp32", tmp_path, lambda _: None))
    (parity,) = backend.check(artifact, Expected(source.inputs, eager(source), program))
    assert parity.passed, parity
