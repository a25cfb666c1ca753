"""ONNX files in integers: which kernels run them, and what these compute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgevit import export
from edgevit.backends.onnx import session
from edgevit.backends.onnx.integer_kernels import integer_kernels
from edgevit.backends.onnx.lower import lower
from edgevit.backends.onnx.rules import RULES
from edgevit.backends.onnx.scheme import SCHEMES
from edgevit.backends.onnx.shared_weights import part_weights
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.aten import kind
from edgevit.quantize.calibration import generated
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.rewrites import engine

pytest.importorskip("onnxruntime", reason="pip install 'edgevit[onnx]'")
NET = "zoo:vit-i32-p8-d64-h2-l1"
GENERATED = CalibrationOptions("generated")


class Residual(nn.Module):
    """Convolutions with a sum between them, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.deep = nn.Conv2d(16, 16, 3, 1, 1, groups=16)
        self.last = nn.Conv2d(16, 16, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).relu()
        return self.last(x + self.deep(x).relu())


def residual(folder: Path) -> tuple[QuantizedProgram, Path]:
    torch.manual_seed(0)
    return quantized(Residual(), folder)


def quantized(net: nn.Module, folder: Path) -> tuple[QuantizedProgram, Path]:
    image = torch.rand(1, 3, 16, 16)
    net = net.eval().requires_grad_(False)
    source = ModelSource("tests:net", "net", net, (image,), ("x",), "a test", "random")
    program, _ = engine.run(capture(source), RULES)
    made = quantize_program(program, generated(program, count=16), SCHEMES["int8"])
    return made, lower(made.program, "int8", folder).path


def test_everything_between_convolutions_is_an_integer_kernel(tmp_path: Path) -> None:
    _, path = residual(tmp_path)
    kernels = integer_kernels(path)
    assert kernels.integer == {"QLinearAdd": 1, "QLinearConv": 3}
    assert not kernels.float_products


class Shared(nn.Module):
    """A head over two levels, whose products saturate in bytes where a CPU has no VNNI."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.last = nn.Conv2d(3, 8, 3), nn.Linear(8, 5, bias=False)
        self.head.weight.data = self.head.weight.sign()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = (self.head(x + 1).relu(), self.head(x[..., ::2, ::2] + 1).relu())
        first, second = (level.mean((2, 3)) for level in levels)
        return self.last(first) - self.last(second)


def test_a_weight_that_products_share_is_computed_exactly(tmp_path: Path) -> None:
    """Its file stores it once; ONNX Runtime's exact mode, for CPUs without VNNI, would not open it."""
    onnx = pytest.importorskip("onnx", reason="pip install 'edgevit[onnx]'")
    torch.manual_seed(0)
    made, path = quantized(Shared(), tmp_path)
    assert integer_kernels(path).shares_weights
    model = onnx.load(path)
    stored = {
        one.name for one in model.graph.initializer if one.data_type == 3 and len(one.dims) > 1
    }
    assert len(stored) == 2
    assert part_weights(model) and not part_weights(model)
    onnx.checker.check_model(model, full_check=True)
    runtime = session.open_runtime(path, 1)
    for one in made.held_out:
        (written,) = runtime.run(None, {"x": one.inputs[0].numpy()})
        torch.testing.assert_close(
            torch.from_numpy(written), one.simulated[0], rtol=0.02, atol=0.02
        )


class Block(nn.Module):
    """Layers whose results a GELU, a sum and nobody read, and one that a layer reads."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, 32, 4, 4), nn.LayerNorm(32)
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32, bias=False)
        self.first, self.second = nn.Linear(32, 16), nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.down(functional.gelu(self.up(self.norm(x))))
        return self.second(self.first(self.norm(x).mean(1)).relu())


def test_products_that_calls_in_floats_read_store_floats(tmp_path: Path) -> None:
    """The same kernels, fewer conversions, and no noise of rounding their results."""
    torch.manual_seed(0)
    made, path = quantized(Block(), tmp_path)
    kernels = integer_kernels(path)
    assert sum(kernels.integer.values()) == 5 and not kernels.float_products
    assert sorted(map(kind, made.placement.stored)) == ["conv2d", "relu"]
    rounded = quantize_program(
        made.original,
        generated(made.original, count=16),
        replace(SCHEMES["int8"], unrounded=frozenset[str]()),
    )
    assert made.report.held_out_snr > rounded.report.held_out_snr + 0.5
    runtime, image = session.open_runtime(path, 1), torch.rand(1, 3, 16, 16)
    (written,) = runtime.run(None, {"x": image.numpy()})
    torch.testing.assert_close(
        torch.from_numpy(written), made.program.run((image,))[0], rtol=1e-2, atol=1e-2
    )


class Gated(nn.Module):
    """SiLU between convolutions, and one whose groups have several outputs each."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 16, 1)
        self.groups = nn.Conv2d(16, 32, 3, 2, 1, groups=16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.groups(self.last(functional.silu(self.stem(x))))


def test_silu_computes_in_integers_and_slow_kernels_are_left_out(tmp_path: Path) -> None:
    made, path = quantized(Gated(), tmp_path)
    kernels = integer_kernels(path)
    assert kernels.integer == {"QLinearConv": 2, "QLinearMul": 1, "QLinearSigmoid": 1}
    assert kernels.float_products == 1
    (island,) = made.report.islands
    assert island.kind == "conv2d" and "many times slower" in island.why


@pytest.mark.parametrize("saturates", sorted({session.saturates(), True}))
def test_integers_are_within_a_step_of_the_simulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saturates: bool
) -> None:
    """On this CPU, and as on one without VNNI: weights are read as unsigned bytes there, and no two may share zero points."""
    made, path = residual(tmp_path)
    monkeypatch.setattr(session, "saturates", lambda: saturates)
    runtime = session.open_runtime(path, 1)
    config = runtime.get_session_options().get_session_config_entry
    if saturates:
        assert config(session.EXACT_BYTES) == "1"
    (step,) = {
        grid.scale
        for node, grid in made.encodings.items()
        if "output" in {u.op for u in node.users}
    }
    for one in made.held_out:
        (written,) = runtime.run(None, {"x": one.inputs[0].numpy()})
        apart = (torch.from_numpy(written) - one.simulated[0]).abs() / step
        assert (apart < 1.01).float().mean() >= 0.99
        assert (apart < 0.01).float().mean() >= 0.95


@pytest.mark.parametrize(
    ("precision", "bits", "kernel"),
    [
        ("int8-dynamic", 8, "MatMulNBits"),
        pytest.param("w4", 4, "MatMulNBits", marks=pytest.mark.long),
        ("w4a8", 4, None),
        pytest.param("w8a16", 8, None, marks=pytest.mark.long),
    ],
)
def test_a_weight_takes_as_many_bits_as_asked_for(
    tmp_path: Path, precision: str, bits: int, kernel: str | None
) -> None:
    pictures = GENERATED if SCHEMES[precision].needs_pictures else CalibrationOptions()
    result = export(
        NET,
        target="linux-x86",
        format="onnx",
        precision=precision,
        calibration=pictures,
        output=tmp_path / "out",
    )
    assert result.passed
    facts = result.manifest
    assert facts["quantization"]["weight_bytes"]["bytes_per_weight"] == bits / 8  # type: ignore[index]
    assert facts["quantization"]["weight_bytes"]["missing"] == 0  # type: ignore[index]
    assert set(facts["kernels"]["integer"]) == ({kernel} if kernel else set())  # type: ignore[index]
    assert any("in floats" in note for note in facts["notes"])  # type: ignore[union-attr]
