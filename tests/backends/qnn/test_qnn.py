"""Contexts for the Snapdragon NPU: compiled whole, run on the emulator, compared, refused with reasons."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.delegation import Delegation
from edgevit.backends.on_host import in_runtime
from edgevit.backends.qnn import compiler, soc
from edgevit.backends.qnn.backend import BACKEND
from edgevit.backends.qnn.options import NpuOptions
from edgevit.backends.qnn.scheme import schemes
from edgevit.errors import (
    BackendRuntimeError,
    DelegationError,
    MemoryLimitError,
    MissingToolError,
    PackageError,
    TargetError,
)
from edgevit.frontend.capture import capture
from edgevit.graph.parity import distance
from edgevit.graph.program import Program
from edgevit.quantize.noise import snr
from edgevit.quantize.run import plain_simulation
from edgevit.rewrites import engine
from edgevit.support.limited import Limits
from edgevit.targets import load_target
from tests.backends.runtimes.through import source_of

pytest.importorskip("onnxruntime_qnn", reason="pip install 'edgevit[qnn]'")
S25 = load_target("galaxy-s25")


class Block(nn.Module):
    """Patches, one attention block with norms, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 4, stride=4)
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.mlp = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(x)).reshape(-1, 16, 3, 2, 8).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + y.transpose(1, 2).flatten(2)
        return self.head((x + self.mlp(x)).mean(1))


class Odd(nn.Module):
    """A call between convolutions that the NPU does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.behind = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.behind(torch.sinh(self.before(x)))


def program_of(module: nn.Module, side: int = 16) -> Program:
    torch.manual_seed(0)
    program, _ = engine.run(
        capture(source_of(module, torch.randn(1, 3, side, side))), BACKEND.rules
    )
    return program


def request_of(program: Program, folder: Path, precision: str = "fp16") -> Lowering:
    source = source_of(nn.Identity(), *program.inputs)
    return Lowering(program, source, S25, precision, folder, lambda _: None)


@pytest.fixture(scope="module")
def block() -> Program:
    torch.manual_seed(0)
    return program_of(Block())


@pytest.fixture(scope="module")
def half(block: Program, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return BACKEND.lower(request_of(block, tmp_path_factory.mktemp("half")))


@pytest.fixture(scope="module")
def odd() -> Program:
    return program_of(Odd())


def context_of(artifact: Artifact) -> Path:
    return artifact.path.with_name(artifact.path.name + ".bin")


def piece(artifact: Artifact) -> Delegation:
    assert artifact.delegation is not None
    return artifact.delegation


def test_a_block_is_one_graph_of_the_npu(block: Program, half: Artifact) -> None:
    assert piece(half).delegates == 1 and piece(half).ops_outside == 0
    npu = half.details["npu"]
    assert isinstance(npu, dict)
    assert (npu["soc"], npu["soc_model"], npu["htp_arch"]) == ("SM8750", 69, "v79")
    assert npu["context_bytes"] == context_of(half).stat().st_size
    (parity,) = BACKEND.check(half, Expected(block.inputs, block.run(), block))
    assert parity.passed, parity


def test_the_same_program_gives_the_same_bytes(
    block: Program, half: Artifact, tmp_path: Path
) -> None:
    again = BACKEND.lower(request_of(block, tmp_path))
    for file in (half.path, context_of(half)):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        again.path.name,
        context_of(again).name,
    ]


@pytest.mark.parametrize(("precision", "cosine"), [("int8", 0.98), ("w8a16", 0.999)])
def test_integers_are_one_graph_and_near_their_simulation(
    block: Program, tmp_path: Path, precision: str, cosine: float
) -> None:
    simulation = plain_simulation(block, [block.inputs], schemes(S25)[precision])
    artifact = BACKEND.lower(request_of(simulation, tmp_path, precision))
    assert piece(artifact).delegates == 1 and piece(artifact).ops_outside == 0
    outputs = in_runtime(artifact)(block.inputs)
    assert distance(simulation.run(), outputs).cosine > cosine
    assert distance(block.run(), outputs).cosine > cosine


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(self.first(x))
        return self.head(self.second(x).mean((2, 3)))


def test_a_chip_without_floats_computes_all_in_integers(tmp_path: Path) -> None:
    board = load_target("qcs6490")
    assert "layer_norm" in schemes(board)["int8"].integer
    assert "layer_norm" not in schemes(S25)["int8"].integer
    program = program_of(Convolutions())
    simulation = plain_simulation(program, [program.inputs], schemes(board)["int8"])
    artifact = BACKEND.lower(replace(request_of(simulation, tmp_path, "int8"), target=board))
    assert piece(artifact).delegates == 1 and piece(artifact).ops_outside == 0
    outputs = in_runtime(artifact)(program.inputs)
    assert distance(program.run(), outputs).cosine > 0.98


class Product(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ x.transpose(2, 3)


def test_products_of_activations_have_16_bits(tmp_path: Path) -> None:
    program = program_of(Product(), side=32)
    simulation = plain_simulation(program, [program.inputs], schemes(S25)["w8a16"])
    outputs = in_runtime(BACKEND.lower(request_of(simulation, tmp_path, "w8a16")))(program.inputs)
    assert snr([program.run()], [outputs]) > 60  # dB; 40 with 8 bits


class Activations(nn.Module):
    """Activations behind what the compiler fuses them into, if they are not kept apart."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.gelu(self.first(x))
        return torch.tanh(nn.functional.avg_pool2d(nn.functional.silu(self.second(x)), 2))


def test_activations_are_not_read_from_a_short_table(tmp_path: Path) -> None:
    program = program_of(Activations())
    artifact = BACKEND.lower(request_of(program, tmp_path))
    assert piece(artifact).delegates == 1 and piece(artifact).ops_outside == 0
    assert snr([program.run()], [in_runtime(artifact)(program.inputs)]) > 55  # dB; 42 fused


class Bounds(nn.Module):
    """Clamps whose integers reach beyond their limits."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        short, long = nn.functional.relu6(8 * self.first(x)), self.second(x)
        sides = torch.cat([short, 20 * long.clamp(-0.2, -0.1), long.clamp(min=0.1)], 1)
        return torch.cat([sides, 12 * long, 12 * long.clamp(float("-inf"), 0.3)], 1)


@pytest.mark.parametrize(("precision", "least"), [("int8", 25), ("w8a16", 35)])
def test_clamps_hold_their_limits(tmp_path: Path, precision: str, least: float) -> None:
    program = program_of(Bounds())
    simulation = plain_simulation(program, [program.inputs], schemes(S25)[precision])
    artifact = BACKEND.lower(request_of(simulation, tmp_path, precision))
    assert piece(artifact).delegates == 1 and piece(artifact).ops_outside == 0
    assert (
        snr([simulation.run()], [in_runtime(artifact)(program.inputs)]) > least
    )  # dB; 15 and 5 where they are dropped


class Windows(nn.Module):
    """A norm in front of views, and slices of a transposed value."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 24, 1), nn.Conv2d(8, 8, 1)
        self.norm = nn.GroupNorm(1, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.first(x).reshape(1, 2, 12, 256).transpose(-1, -2).chunk(3, -1)
        x = nn.functional.relu(q) @ (nn.functional.relu(k).transpose(-1, -2) @ v)
        x = x.transpose(-1, -2).reshape(1, 8, 16, 16)
        x = self.norm(x.reshape(1, 8, 8, 2, 8, 2).permute(0, 1, 3, 5, 2, 4).reshape(1, 8, 4, 64))
        x = x.reshape(1, 8, 2, 2, 8, 8).permute(0, 1, 4, 2, 5, 3).reshape(1, 8, 16, 16)
        return self.second(x)


def test_norms_and_slices_around_views_stay_on_the_npu(tmp_path: Path) -> None:
    program = program_of(Windows())
    simulation = plain_simulation(program, [program.inputs], schemes(S25)["w8a16"])
    artifact = BACKEND.lower(request_of(simulation, tmp_path, "w8a16"))
    assert piece(artifact).delegates == 1 and piece(artifact).ops_outside == 0
    assert snr([simulation.run()], [in_runtime(artifact)(program.inputs)]) > 45


class PaddedSlice(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(x, (0, 1), value=1.0) * 2


def test_a_padding_holds_the_constant(tmp_path: Path) -> None:
    program = program_of(PaddedSlice(), side=48)
    outputs = in_runtime(BACKEND.lower(request_of(program, tmp_path)))(program.inputs)
    assert snr([program.run()], [outputs]) > 60  # dB; 14 where the compiler pads


def test_an_op_that_the_npu_lacks_is_told_with_its_line(odd: Program, tmp_path: Path) -> None:
    artifact = BACKEND.lower(request_of(odd, tmp_path))
    (outside,) = piece(artifact).outside
    assert (outside.op, outside.count) == ("Sinh", 1) and "test_qnn.py:" in outside.where
    assert piece(artifact).delegates == 2
    (parity,) = BACKEND.check(artifact, Expected(odd.inputs, odd.run(), odd))
    assert parity.passed, parity


def test_leftovers_are_an_error_where_the_npu_is_required(odd: Program, tmp_path: Path) -> None:
    request = replace(request_of(odd, tmp_path), options=NpuOptions(require_npu=True))
    with pytest.raises(DelegationError, match="1 op") as caught:
        BACKEND.lower(request)
    assert "test_qnn.py:" in caught.value.where
    assert "Sinh" in caught.value.why and "--require-npu" in caught.value.why


def test_a_chip_that_is_not_listed_is_refused(block: Program, tmp_path: Path) -> None:
    request = replace(request_of(block, tmp_path), target=load_target("pixel-8"))
    with pytest.raises(TargetError, match="Snapdragon") as caught:
        BACKEND.lower(request)
    assert "Tensor" in caught.value.why and "SM8750" in caught.value.why and caught.value.hint


def test_an_npu_without_floats_is_refused_fp16(block: Program, tmp_path: Path) -> None:
    request = replace(request_of(block, tmp_path), target=load_target("qcs6490"))
    with pytest.raises(TargetError, match="QCS6490") as caught:
        BACKEND.lower(request)
    assert "w8a16" in caught.value.hint


def test_a_target_file_without_a_chip_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'name = "mine"\ntitle = "Mine"\nformats = ["qnn"]\nprecisions = ["fp16"]\n'
        'soc = "Mediatek Dimensity 9400"\n[source]\nsoc = "mine"\n'
    )
    with pytest.raises(TargetError, match="soc") as caught:
        load_target(str(file))
    assert "SM8750" in caught.value.why


def test_every_chip_is_named_by_its_part_number() -> None:
    assert soc.soc_of(load_target("galaxy-s24")) == soc.socs()["SM8650"]
    assert soc.soc_of(load_target("xiaomi-15")) == soc.socs()["SM8750"]
    assert soc.soc_of(load_target("pixel-6")) is None


@pytest.mark.parametrize("damage", ["gone", "empty", "half", "other"])
def test_a_damaged_context_is_refused(half: Artifact, tmp_path: Path, damage: str) -> None:
    path = tmp_path / half.path.name
    shutil.copy(half.path, path)
    whole = context_of(half).read_bytes()
    broken = {"empty": b"", "half": whole[: len(whole) // 2], "other": b"x" * len(whole)}
    if damage != "gone":
        (tmp_path / context_of(half).name).write_bytes(broken[damage])
    with pytest.raises(PackageError) as caught:
        BACKEND.check(replace(half, path=path), Expected((), ()))
    assert caught.value.where and caught.value.why and "export" in caught.value.hint


def test_a_compiler_that_is_stopped_is_told(
    block: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "_LIMITS", Limits(32 << 30, 3600, 0.05))
    with pytest.raises(BackendRuntimeError, match="compiler") as caught:
        BACKEND.lower(request_of(block, tmp_path))
    assert caught.value.why and caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_missing_compiler_is_told_with_its_extra(
    block: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime_qnn", None)
    with pytest.raises(MissingToolError) as caught:
        BACKEND.lower(request_of(block, tmp_path))
    assert "edgevit[qnn]" in caught.value.hint


def test_a_net_beyond_one_context_is_refused(
    block: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgevit.backends.qnn.lower.ONE_FILE", 1000)
    with pytest.raises(MemoryLimitError, match="weights"):
        BACKEND.lower(request_of(block, tmp_path))


def test_memory_that_the_npu_lacks_is_a_memory_error() -> None:
    said = "Failed to finalize QNN graph. Error: QNN_COMMON_ERROR_MEM_ALLOC: Code: 1002"
    error = compiler._refused(said, "net.onnx")
    assert isinstance(error, MemoryLimitError) and error.hint
