"""Zeros in a pattern: where they are, what is left of the weights, and that integers and files keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import edgevit
from edgevit.errors import UsageError
from edgevit.graph.calls import weighted
from edgevit.graph.program import Program
from edgevit.integer.file import load_graph
from edgevit.quantize import CalibrationOptions
from edgevit.rewrites.lossy.parser import parse_lossy
from edgevit.rewrites.lossy.run import StepReport, apply_lossy
from edgevit.rewrites.lossy.sparse_fit import BlockZeros, TwoOfFour, Zeros, sparse_fit
from tests.rewrites.checking import program_for


class Mlp(nn.Module):
    """Of inputs that go along with each other, as those of trained nets do."""

    def __init__(self, conv: bool = False, width: int = 32) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = (lambda i, o: nn.Conv2d(i, o, 1)) if conv else nn.Linear
        self.mixed = torch.randn(8, width)
        self.up, self.down, self.head = layer(width, 64), layer(64, width), layer(width, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.down(torch.nn.functional.gelu(self.up(x)))))

    def runs(self, count: int, conv: bool = False) -> list[torch.Tensor]:
        rows = [torch.randn(40, 8) @ self.mixed for _ in range(count)]
        return [x.T[None, :, :, None] if conv else x[None] for x in rows]


def sparse(word: str, net: nn.Module, runs: list[torch.Tensor]) -> tuple[Program, StepReport]:
    result = apply_lossy(
        program_for(net, runs[0]), parse_lossy(word), samples=lambda: [(run,) for run in runs]
    )
    return result.program, result.steps[0]


def weights(program: Program) -> list[np.ndarray]:
    views = [view for node in program.calls() if (view := weighted(node))]
    return [program.constants[str(view.weight.target)].flatten(1).numpy() for view in views]


def zero_blocks(weight: np.ndarray, width: int) -> float:
    rows, columns = weight.shape
    blocks = weight.reshape(rows // 4, 4, columns // width, width)
    return float((~blocks.any(axis=(1, 3))).mean())


def most_of_four(weight: np.ndarray) -> int:
    """How many of four weights in order are not zero, at most."""
    return int((weight.reshape(-1, 4) != 0).sum(1).max())


@pytest.mark.parametrize("pattern", [BlockZeros(0.5, 4, 4), BlockZeros(0.3, 4, 16)])
def test_what_is_left_is_the_least_squares_fit(pattern: Zeros) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 35)) @ rng.normal(size=(35, 35))
    dense, covariance = rng.normal(size=(10, 35)), np.cov(x.T)
    fit = sparse_fit(dense, covariance, pattern)
    apart = x - x.mean(0)
    for row, fitted in zip(dense, fit, strict=True):
        there = np.flatnonzero(fitted)
        best = np.linalg.lstsq(apart[:, there], apart @ row, rcond=None)[0]
        assert np.abs(fitted[there] - best).max() < 0.03 * np.abs(best).max()
    assert 0.05 < np.mean(fit == 0) < 0.52


def test_two_of_four_make_up_for_one_another() -> None:
    rng = np.random.default_rng(0)
    covariance = np.cov((rng.normal(size=(4000, 70)) @ rng.normal(size=(70, 150))).T)
    dense = rng.normal(size=(10, 150))
    fit = sparse_fit(dense, covariance, TwoOfFour())
    fours = fit[:, :148].reshape(10, -1, 4)
    assert np.all((fours == 0).sum(2) == 2) and np.all(fit[:, 148:] != 0)
    small = np.abs(dense[:, :148].reshape(10, -1, 4)).argsort(2).argsort(2) < 2
    magnitude = dense * np.pad(~small.reshape(10, -1), ((0, 0), (0, 2)), constant_values=True)
    moved, other = (((x - dense) @ covariance * (x - dense)).sum() for x in (fit, magnitude))
    assert moved < 0.7 * other


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize("word", ["sparse-blocks=0.5", "sparse-blocks=0.5:4", "sparse-2to4"])
def test_layers_get_zeros_and_make_up_for_them(word: str, conv: bool) -> None:
    net = Mlp(conv).eval()
    program, report = sparse(word, net, net.runs(12, conv))
    up, down, head = weights(program)
    assert len(report.places) == 2 and report.moved.rel_l2 < 0.3
    assert [refusal.why for refusal in report.refused] == ["the model returns what it computes"]
    assert np.count_nonzero(head) == head.size
    for weight in (up, down):
        if word == "sparse-2to4":
            assert most_of_four(weight) == 2
        else:
            assert zero_blocks(weight, 4 if word.endswith(":4") else 16) == 0.5
    magnitude = Mlp(conv).eval()
    with torch.no_grad():  # the same zeros, and nothing fitted
        for layer, weight in ((magnitude.up, up), (magnitude.down, down)):
            layer.weight.mul_(torch.from_numpy(weight != 0).reshape(layer.weight.shape))
    x = net.runs(13, conv)[-1]
    wrong = [(other - net(x)).norm() for other in (program.run((x,))[0], magnitude(x))]
    assert wrong[0] < 0.5 * wrong[1]


def test_a_weight_that_several_calls_read_stays() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(32, 32)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.layer(torch.tanh(self.layer(x))))

    _, report = sparse("sparse-2to4", Twice().eval(), [torch.randn(2, 32)])
    assert {refusal.why for refusal in report.refused} == {"several calls read its weight"}


def test_a_model_without_a_place_says_so() -> None:
    _, report = sparse("sparse-2to4", nn.Conv2d(1, 8, 3).eval(), [torch.randn(1, 1, 8, 8)])
    assert [refusal.where for refusal in report.refused] == ["the model"]


@pytest.mark.parametrize("word", ["sparse-blocks", "sparse-blocks=1", "sparse-blocks=0.5:8", "sparse-2to4=1"])  # fmt: skip
def test_other_values_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        parse_lossy(word)


def _exported(format: str, target: str, word: str, folder: Path, precision: str | None = None) -> edgevit.ExportResult:  # fmt: skip
    net = Mlp(width=64).eval()
    folder.mkdir(exist_ok=True)
    data = folder / "data.npy"
    np.save(data, torch.cat(net.runs(24)).numpy())
    calibrated = bool(word) or precision != "fp16"
    return edgevit.export(
        net, (net.runs(1)[0],), target=target, format=format, lossy=word, output=folder / "out",
        calibration=CalibrationOptions(str(data) if calibrated else None), precision=precision,
    )  # fmt: skip


def test_firmware_keeps_two_of_four_in_int8(tmp_path: Path) -> None:
    result = _exported("mcu", "qemu-m4", "sparse-2to4", tmp_path)
    graph, _ = load_graph(result.directory / "model.integer.safetensors")
    most = [most_of_four(op.constants()["weight"]) for op in graph.ops if op.kind == "linear"]
    assert most == [2, 2, 4]
    assert result.notes[-1] == "the zeros of `sparse-2to4` are kept, and no faster in firmware"


def test_firmware_skips_blocks(tmp_path: Path) -> None:
    result = _exported("mcu", "qemu-m4", "sparse-blocks=0.5", tmp_path)
    assert result.notes[0].startswith("2 linears skip blocks of zeros, which saves 3,")
    assert not any("no faster" in note for note in result.notes)
    functions = [path.name for path in (result.directory / "firmware" / "kernels").rglob("*.c")]
    assert "ev_linear_sparse_s8_dsp.c" in functions


def test_an_int8_file_keeps_two_of_four(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    result = _exported("onnx", "linux-x86", "sparse-2to4", tmp_path, precision="int8")
    tensors = [onnx.numpy_helper.to_array(x) for x in onnx.load(result.artifact).graph.initializer]
    large = [x for x in tensors if x.dtype == np.int8 and x.ndim == 2]
    most = sorted(min(most_of_four(x), most_of_four(np.ascontiguousarray(x.T))) for x in large)
    assert most == [2, 2, 4]
    assert "the zeros of `sparse-2to4` are kept, and no faster in ONNX" in result.notes


@pytest.mark.parametrize(
    ("target", "precision"),
    [("iphone-12", "fp16"), ("iphone-16", "fp16"), ("iphone-16", "w8"), ("iphone-16", "w4")],
)
def test_core_ml_stores_no_zeros(target: str, precision: str, tmp_path: Path) -> None:
    pytest.importorskip("coremltools")
    sizes: list[int] = []
    for word in ("", "sparse-2to4"):
        result = _exported(
            "coreml", target, word, tmp_path / (word or "dense"), precision=precision
        )
        sizes.append(sum(file.stat().st_size for file in result.artifact.rglob("weight.bin")))
    assert "2 weights are stored without their zeros" in result.notes
    assert not any("no faster" in note for note in result.notes)
    bytes_each = {"fp16": 2, "w8": 1, "w4": 0.5}[precision]
    assert sizes[0] - sizes[1] > 0.8 * 2 * 64 * 64 * (bytes_each / 2 - 1 / 8)
