"""Mixed precision: few values with more bits, those that the outputs' noise comes from."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.fx.node import Node

from edgevit import export
from edgevit.errors import BudgetError, PackageError, UsageError
from edgevit.evaluate import EvaluationOptions
from edgevit.export import clock
from edgevit.frontend.resolve import resolve
from edgevit.graph.aten import kind
from edgevit.graph.program import Program
from edgevit.quantize.calibration import Calibration, generated
from edgevit.quantize.encoding import Grid
from edgevit.quantize.goals import MixedBudget, MixedGoal, Run, parse_budget
from edgevit.quantize.noise import snr
from edgevit.quantize.op_traits import MOVES
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.prepare import prepare
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.quantize.scheme import QuantScheme
from edgevit.rewrites import engine
from edgevit.rewrites.standard import STANDARD
from tests.fuzzed.fresh import captured_of
from tests.quantize import bed
from tests.quantize.imported import rewritten

_IN_PIECES = {"getitem", "split", "split_with_sizes", "unbind", "chunk"}
SPEC = "zoo:vit-i32-p8-d32-h2-l1"


class Stream(nn.Module):
    """A stream of wide range that is added to, between layers of narrow ranges."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(4))
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = x + torch.linspace(-40, 40, 16)[:, None, None]
        for layer in self.layers:
            x = x + layer(x.relu()).tanh()
        return self.head(x.mean((2, 3)))


def inside_norm(node: Node, _: Program) -> str | None:
    """Refuse the parts of a norm, which a unit computes in one piece."""
    if "rsqrt" in map(kind, node.all_input_nodes):
        return "scaled by a norm's statistic"
    while len(node.users) == 1 and kind(node) != "rsqrt":
        (node,) = node.users
    return "of a norm's statistic" if kind(node) == "rsqrt" else None


def every(program: Program, wide: str = "uint16") -> QuantScheme:
    """Return the scheme of a unit that rounds every value, as an NPU does."""
    kinds = frozenset(map(kind, program.calls())) - MOVES - _IN_PIECES
    half = {"softmax": Grid(1 / 256, 0, "uint8")}
    return QuantScheme("uint8", integer=kinds, fixed=half, wide=wide, objection=inside_norm)


def stream() -> tuple[Program, Calibration]:
    torch.manual_seed(1)
    whole = rewritten(Stream(), torch.rand(1, 3, 8, 8))
    return whole, generated(whole, count=16)


def mixed(goal: MixedGoal, scheme: QuantScheme | None = None) -> QuantizedProgram:
    whole, inputs = stream()
    return quantize_program(whole, inputs, scheme or every(whole), goal=goal)


def test_more_bits_for_a_few_values_raise_the_ratio() -> None:
    whole, inputs = stream()
    narrow = quantize_program(whole, inputs, every(whole)).report.held_out_snr
    found = mixed(MixedGoal(narrow + 12))
    assert found.report.held_out_snr >= narrow + 12
    assert found.mixed is not None and found.mixed.reached
    assert found.mixed.share < 0.5
    assert 0 < len(found.types) < len(found.placement.encoded())
    assert set(found.types.values()) == {"uint16"}
    for node, grid in found.encodings.items():
        assert grid.dtype == found.types.get(node.name, "uint8")


def test_without_wide_integers_calls_go_back_to_floats() -> None:
    whole, inputs = stream()
    scheme = QuantScheme()
    narrow = quantize_program(whole, inputs, scheme).report.held_out_snr
    found = mixed(MixedGoal(narrow + 3), scheme)
    assert found.report.held_out_snr >= narrow + 3
    assert set(found.types.values()) == {"float"}
    assert not set(found.types) & {node.name for node in found.placement.calls}
    assert found.placement.calls


def test_a_budget_alone_is_spent_and_not_exceeded() -> None:
    plain = mixed(MixedGoal(budget=MixedBudget(macs=0.0))).mixed
    found = mixed(MixedGoal(budget=MixedBudget(macs=0.3))).mixed
    assert plain is not None and found is not None
    assert plain.share == 0 and 0 < found.share <= 0.3
    assert found.result.snr > plain.result.snr
    halved = mixed(MixedGoal(budget=MixedBudget(weight_bytes=20_000)), QuantScheme())
    stored = sum(weight.count for weight in halved.weights.values())
    total = sum(4 * t.numel() for t in halved.original.constants.values() if t.dim() > 1)
    assert halved.types and stored + total - 4 * stored <= 20_000 + 4 * 16


def test_a_target_out_of_reach_is_refused() -> None:
    with pytest.raises(BudgetError, match="does not reach") as refusal:
        mixed(MixedGoal(90, budget=MixedBudget(macs=0.1)))
    assert "--mixed-budget" in str(refusal.value.hint)
    with pytest.raises(BudgetError, match="do not fit"):
        mixed(MixedGoal(budget=MixedBudget(weight_bytes=100)))


def test_a_score_on_labelled_data_is_a_goal() -> None:
    whole, inputs = stream()

    def score(run: Run) -> float:
        return snr([whole.run(x) for x in inputs.inputs], [run(x) for x in inputs.inputs])

    quantized = quantize_program(
        whole, inputs, every(whole), goal=MixedGoal(score=score, least_score=30.0)
    )
    assert score(quantized.program.run) >= 30.0
    with pytest.raises(BudgetError, match=r"scores .*% where 900.00% is asked for"):
        quantize_program(
            whole, inputs, every(whole), goal=MixedGoal(score=score, least_score=900.0)
        )


@pytest.mark.slow
def test_the_largest_drop_is_a_goal(tmp_path: Path) -> None:
    """The labels are what the float model says, so that any loss is the integers'.

    Where two classes are as near as one rounding, the file may fall to another than the simulation.
    """
    images = torch.randn(200, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    best, labels = resolve(SPEC).module(images).topk(2)
    clear = best[:, 0] - best[:, 1] > 0.006
    images, labels = images[clear], labels[clear, 0]
    data = tmp_path / "labelled.npz"
    np.savez(data, images=images.numpy(), labels=labels.numpy())
    result = export(
        SPEC,
        target="linux-x86",
        format="onnx",
        precision="mixed",
        calibration=CalibrationOptions("generated"),
        evaluation=EvaluationOptions(str(data), max_drop=0.0),
        output=tmp_path / "out",
    )
    assert result.manifest["accuracy"]["file"]["top1"] == 100.0
    assert result.manifest["quantization"]["mixed"]["types"]


def export_mixed(output: Path, **options: object) -> Path:
    result = export(
        SPEC,
        target="linux-x86",
        format="onnx",
        precision="mixed",
        calibration=CalibrationOptions("generated", **options),  # type: ignore[arg-type]
        output=output,
    )
    assert result.passed
    return output / "bits.toml"


def test_the_bit_map_of_an_export_gives_the_same_file(tmp_path: Path) -> None:
    path = export_mixed(tmp_path / "first", min_snr=44.0)
    types = tomllib.loads(path.read_text())["types"]
    assert types and set(types.values()) == {"float"}
    assert "#" in path.read_text().splitlines()[-1]
    again = export_mixed(tmp_path / "again", bit_map=str(path))
    assert again.read_text() == path.read_text()
    first, second = (next(p.parent.glob("*.onnx")).read_bytes() for p in (path, again))
    assert first == second


@pytest.fixture
def timed_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is the same everywhere: a millisecond for each kB of the file."""
    monkeypatch.setattr(
        clock, "timer", lambda _, artifact, __: lambda: artifact.path.stat().st_size / 1e6
    )


def test_a_time_that_is_measured_is_a_budget(tmp_path: Path, timed_by_size: None) -> None:
    def size(folder: str, **options: object) -> float:
        path = export_mixed(tmp_path / folder, **options)
        return next(path.parent.glob("*.onnx")).stat().st_size / 1000

    narrow = size("narrow", mixed_budget="macs=0%")
    between = size("between", mixed_budget=f"latency={narrow + 40}ms")
    assert narrow < between <= narrow + 40
    facts = json.loads((tmp_path / "between" / "edgevit.json").read_text())["quantization"]["mixed"]
    assert facts["types"] and facts["milliseconds"] == pytest.approx(between, rel=1e-3)
    assert size("again", bit_map=str(tmp_path / "between" / "bits.toml")) == between
    with pytest.raises(BudgetError, match="longer than 1 ms") as refusal:
        export_mixed(tmp_path / "out", mixed_budget="latency=1000us")
    assert all(getattr(refusal.value, part) for part in ("where", "why", "hint"))


def test_a_time_is_a_budget_where_this_machine_runs_the_file(tmp_path: Path) -> None:
    for target, format in (("iphone-15-pro", "coreml"), ("pixel-8", "tflite")):
        with pytest.raises(UsageError, match="not timed on this machine") as refusal:
            export(
                SPEC, target=target, format=format, precision="mixed", output=tmp_path / "out",
                calibration=CalibrationOptions("generated", mixed_budget="latency=5ms"),
            )  # fmt: skip
        assert "size=2MB" in str(refusal.value.hint)


def test_budgets_are_read() -> None:
    assert parse_budget("macs=10%") == MixedBudget(macs=0.1)
    assert parse_budget("size=2MB") == MixedBudget(weight_bytes=2_000_000)
    assert (
        parse_budget("latency=0.5ms")
        == parse_budget("latency=500us")
        == MixedBudget(milliseconds=0.5)
    )
    for text in ("latency=5", "latency=-5ms", "latency=5s", "macs=10", "size=2"):
        with pytest.raises(UsageError, match="no budget"):
            parse_budget(text)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("schema = 1\n[types]\nnowhere = 'float'\n", UsageError, "another model"),
        ("schema = 1\n[types]\nconv2d_default = 'int16'\n", UsageError, "no int16"),
        ("schema = 1\n[types]\nconv2d_default = 'int3'\n", PackageError, "cannot be read"),
        ("schema = 7\n", PackageError, "cannot be read"),
        ("[", PackageError, "cannot be read"),
    ],
)
def test_a_bit_map_that_does_not_fit_is_refused(
    text: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "bits.toml"
    path.write_text(text)
    with pytest.raises(error, match=message) as refusal:
        export_mixed(tmp_path / "out", bit_map=str(path))
    assert all(getattr(refusal.value, part) for part in ("where", "why", "hint"))


def test_options_of_mixed_precision_need_it(tmp_path: Path) -> None:
    for options in ({"min_snr": 30.0}, {"mixed_budget": "macs=10%"}, {"bit_map": "x.toml"}):
        with pytest.raises(UsageError, match="of mixed precision"):
            export(
                SPEC,
                target="linux-x86",
                format="onnx",
                precision="int8",
                calibration=CalibrationOptions("generated", **options),  # type: ignore[arg-type]
                output=tmp_path / "out",
            )
    with pytest.raises(UsageError, match="no budget"):
        export_mixed(tmp_path / "out", mixed_budget="ten")
    with pytest.raises(PackageError, match="cannot be read"):
        export_mixed(tmp_path / "out", bit_map=str(tmp_path / "none.toml"))


@pytest.mark.slow
def test_outlier_tokens_survive_where_every_value_is_rounded() -> None:
    """In 8 bits nothing is left of a stream with tokens of a thousand times the others' norm."""
    train, _ = bed.pictures("train")
    images, labels = bed.pictures("test", 60)
    program, _ = engine.run(captured_of(bed.net("registers"), train[:1]), STANDARD)
    calibration = Calibration(tuple((image[None],) for image in train[:32]), "digits")
    prepared = prepare(program, calibration).program

    def score(run: object) -> float:
        return bed.accuracy(torch.cat([run((image[None],))[0] for image in images]), labels)  # type: ignore[operator]

    quantized = quantize_program(prepared, calibration, every(prepared), goal=MixedGoal())
    assert score(quantized.program.run) >= score(program.run) - 1
    assert quantized.mixed is not None and quantized.mixed.share < 0.5


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "cosine", "share"),
    [
        ("timm:shvit_s1.in1k", 0.993, 0.2),
        ("timm:mobilevit_xxs.cvnets_in1k", 0.996, 0.1),
    ],
)
def test_hybrids_need_few_wide_products(spec: str, cosine: float, share: float) -> None:
    from edgevit.frontend.capture import capture

    torch.set_num_threads(1)
    program, _ = engine.run(capture(resolve(spec, input_size=128)), STANDARD)
    inputs = generated(program, count=16)
    prepared = prepare(program, inputs)
    quantized = quantize_program(
        prepared.program, inputs, every(program), goal=replace(MixedGoal(), cosine=cosine)
    )
    assert quantized.mixed is not None
    assert quantized.mixed.reached and quantized.mixed.share <= share
