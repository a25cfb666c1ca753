"""Weights: live random ones, files that fit, and files that do not."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.errors import WeightsError
from edgevit.frontend.live_weights import liveness, make_live
from edgevit.frontend.resolve import resolve

NET = """
import torch

def build():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(144, 2))
    return net, (torch.randn(1, 3, 8, 8),)
"""


class Dead(nn.Module):
    """All that fresh nets switch off: zero gammas, tiny layer scales, zero tables, zero matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.branch, self.last = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        nn.init.zeros_(self.last.weight)
        self.gamma = nn.Parameter(torch.full((8, 1, 1), 1e-5))
        self.table = nn.Parameter(torch.zeros(1, 8, 6, 6))
        self.mix = nn.Linear(8, 8)
        nn.init.zeros_(self.mix.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem(x)) + self.table
        x = x + self.last(self.branch(x))
        return x + self.gamma * self.mix(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


X = torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(3))


def alive(seed: int = 0) -> Dead:
    torch.manual_seed(1)
    net = Dead().eval()
    make_live(net, (X,), seed)
    return net


def test_every_part_of_a_live_net_matters() -> None:
    net = alive()
    with torch.no_grad():
        whole = net(X)
        for part in ("last.weight", "gamma", "table", "mix.weight", "branch.weight"):
            parameter = net.get_parameter(part)
            kept = parameter.clone()
            parameter.zero_()
            change = (net(X) - whole).norm() / whole.norm()
            parameter.copy_(kept)
            assert change > 0.02, f"without {part} the output is the same"


def test_batch_norms_are_warmed_by_data() -> None:
    net = alive()
    for norm in (net.norm, net.last):
        assert not torch.allclose(norm.running_mean, torch.zeros(8))
        assert not torch.allclose(norm.running_var, torch.ones(8))
    assert torch.isfinite(net(X)).all()
    assert not net.training
    assert all(not module.training for module in net.modules())


def test_the_output_follows_the_input_and_the_seed() -> None:
    assert liveness(alive(), (X,)) > 0.05
    assert torch.equal(alive(5)(X), alive(5)(X))
    assert not torch.equal(alive(5)(X), alive(6)(X))


@pytest.mark.parametrize("net", ["mobilenetv4_conv_small_035", "repghostnet_050", "convnext_atto"])
def test_timm_nets_come_alive(net: str) -> None:
    source = resolve(f"timm:{net}", input_size=64)
    assert liveness(source.module, source.inputs) > 0.02
    assert source.module(*source.inputs).abs().max() < 1e3


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


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_named(spec: str, tmp_path: Path, bad: float) -> None:
    weights = trained()
    weights["0.weight"][0, 0, 0, 0] = bad
    torch.save(weights, tmp_path / "w.pth")
    error = refused(spec, tmp_path / "w.pth")
    assert error.where == "0.weight"
    assert "1 NaN" in error.why or "1 Inf" in error.why


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


def test_code_in_a_weights_file_is_not_run(spec: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    torch.save({"0.weight": Payload(marker)}, tmp_path / "w.pth")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(Payload(marker)))
    for name in ("w.pth", "raw.pth"):
        error = refused(spec, tmp_path / name)
        assert not marker.exists()
        if name == "w.pth":
            assert "not executed" in error.message
            assert "--trust" in error.hint


def test_files_that_are_no_weights(spec: str, tmp_path: Path) -> None:
    assert "no weights file" in refused(spec, tmp_path / "none.pth").message
    (tmp_path / "short.pth").write_bytes(b"PK\x03\x04 and then nothing")
    assert "cannot be read" in refused(spec, tmp_path / "short.pth").message
    (tmp_path / "short.safetensors").write_bytes(b"\xff" * 40)
    assert "cannot be read" in refused(spec, tmp_path / "short.safetensors").message
