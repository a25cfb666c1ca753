"""Weights from files: those that fit, those that do not, and those that hold more than tensors."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.errors import UsageError, WeightsError
from edgevit.frontend.resolve import resolve

NET = """
import torch

def build():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(144, 2))
    return net, (torch.randn(1, 3, 8, 8),)
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return f"{tmp_path / 'net.py'}:build"


def trained() -> dict[str, torch.Tensor]:
    torch.manual_seed(9)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))
    return net.state_dict()


@pytest.mark.parametrize("wrapping", ["plain", "state_dict", "module.", "safetensors"])
def test_state_dicts_are_read_however_wrapped(spec: str, tmp_path: Path, wrapping: str) -> None:
    from safetensors.torch import save_file

    weights = trained()
    path = tmp_path / ("w.safetensors" if wrapping == "safetensors" else "w.pth")
    if wrapping == "safetensors":
        save_file(weights, path)
    elif wrapping == "state_dict":
        torch.save({"state_dict": weights, "epoch": 3}, path)
    elif wrapping == "module.":
        torch.save({f"module.{k}": v for k, v in weights.items()}, path)
    else:
        torch.save(weights, path)
    source = resolve(spec, weights=str(path))
    assert source.weights == str(path)
    assert torch.equal(source.module.state_dict()["3.weight"], weights["3.weight"])


def refused(spec: str, path: Path, **options: object) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        resolve(spec, weights=str(path), **options)
    return caught.value


def test_a_state_dict_that_does_not_fit_lists_what(spec: str, tmp_path: Path) -> None:
    weights = trained()
    del weights["0.bias"]
    weights["9.weight"] = torch.zeros(1)
    weights["3.weight"] = torch.zeros(5, 144)
    torch.save(weights, tmp_path / "w.pth")
    error = refused(spec, tmp_path / "w.pth")
    assert "1 missing: 0.bias" in error.why
    assert "1 unexpected: 9.weight" in error.why
    assert "3.weight is 5x144, the model has 2x144" in error.why


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["0.weight", "1.running_var"])
def test_weights_that_are_not_numbers_are_named(
    spec: str, tmp_path: Path, bad: float, name: str
) -> None:
    weights = trained()
    weights[name].flatten()[0] = bad
    torch.save(weights, tmp_path / "w.pth")
    error = refused(spec, tmp_path / "w.pth")
    assert error.where == name
    count = "1 NaN and 0 Inf" if bad != bad else "0 NaN and 1 Inf"
    assert f"`{name}`: {count}" in error.why


def test_finite_weights_with_an_infinite_output_are_traced_to_a_layer(tmp_path: Path) -> None:
    code = NET.replace("    return net,", "    net[0].weight.data.fill_(3e38)\n    return net,")
    (tmp_path / "net.py").write_text(code)
    with pytest.raises(WeightsError) as caught:
        resolve(f"{tmp_path / 'net.py'}:build")
    assert "not finite" in caught.value.message
    assert caught.value.where == "0"


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


def write_hostile(kind: str, path: Path, marker: Path) -> None:
    if kind == "zip":
        torch.save({"0.weight": Payload(marker)}, path)
    elif kind == "legacy":
        torch.save(Payload(marker), path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps(Payload(marker), protocol=2 if kind == "raw" else 4))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", ["zip", "legacy", "raw", "raw 4"])
def test_code_in_a_weights_file_runs_only_when_trusted(
    spec: str, tmp_path: Path, kind: str
) -> None:
    marker = tmp_path / "ran"
    write_hostile(kind, tmp_path / "w.pth", marker)
    error = refused(spec, tmp_path / "w.pth")
    assert not marker.exists()
    assert "not executed" in error.message
    assert "--trust" in error.hint
    refused(spec, tmp_path / "w.pth", trust=True)
    assert marker.exists()  # the payload is live: the refusal above was what kept it from running


def test_a_whole_pickled_module_is_read_when_trusted(spec: str, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))
    torch.save(net, tmp_path / "w.pth")
    assert "nn.modules" in refused(spec, tmp_path / "w.pth").why
    source = resolve(spec, weights=str(tmp_path / "w.pth"), trust=True)
    assert torch.equal(source.module.state_dict()["3.weight"], net[3].weight)


def test_files_that_are_no_weights(spec: str, tmp_path: Path) -> None:
    torch.save(trained(), tmp_path / "near.pth")
    error = refused(spec, tmp_path / "neat.pth")
    assert "no weights file" in error.message
    assert "near.pth" in error.hint
    whole = (tmp_path / "near.pth").read_bytes()
    files = {
        "cut.pth": whole[: len(whole) // 2],
        "zip.pth": b"PK\x03\x04 and then nothing",
        "empty.pth": b"",
        "page.pth": b"<!DOCTYPE html>",
        "lfs.bin": b"version https://git-lfs.github.com/spec/v1\n",
        "short.safetensors": b"\xff" * 40,
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        error = refused(spec, tmp_path / name)
        assert "cannot be read" in error.message, name
        assert f"{len(data)} bytes" in error.why
        assert "--trust" not in error.hint


@pytest.mark.parametrize("found", [[1, 2], {}, {"epoch": 3}, {"0.weight": "text"}, 7])
def test_a_file_without_a_state_dict(spec: str, tmp_path: Path, found: object) -> None:
    torch.save(found, tmp_path / "w.pth")
    assert "holds no state dict" in refused(spec, tmp_path / "w.pth").message


def test_programs_are_not_weights(spec: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("net/code/__torch__.py", "")
    assert "TorchScript" in refused(spec, tmp_path / "script.pt").message
    program = torch.export.export(nn.Linear(2, 2), (torch.randn(1, 2),))
    torch.export.save(program, str(tmp_path / "net.pt2"))
    (tmp_path / "net.pt2").rename(tmp_path / "net.pth")
    assert "exported program" in refused(spec, tmp_path / "net.pth").message


def test_random_weights_can_be_asked_for(spec: str) -> None:
    built, again = resolve(spec), resolve(spec, weights="random", seed=3)
    assert built.weights == "as built"
    assert again.weights == "random (seed 3)"
    assert not torch.equal(
        built.module.state_dict()["1.weight"], again.module.state_dict()["1.weight"]
    )
    with pytest.raises(UsageError):
        resolve(spec, weights="pretrained")
