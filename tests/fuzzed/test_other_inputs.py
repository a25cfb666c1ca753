"""Inputs of other statistics: what is made of an example, what is judged, and what is told as noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import edgevit
from edgevit.backends.judged import judged
from edgevit.exported.golden import load_others
from edgevit.exported.verify import verify
from edgevit.graph.other_inputs import Other, other_inputs
from edgevit.graph.parity import FP16, FP32
from tests.fuzzed.fresh import Call, captured_of

X = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
Outputs = tuple[torch.Tensor, ...]

NET = """
import torch
class Net(torch.nn.Module):
    input_size = (3, 8, 8)
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
    def forward(self, x):
        return self.conv(x).relu()
"""


def others_of(net: Call, x: torch.Tensor) -> list[Other]:
    return [Other(name, made, (net(*made),)) for name, made in other_inputs((x,)).items()]


def verdict(net: Call, run: Callable[[torch.Tensor], torch.Tensor], precision: str = "fp32"):
    limit = FP32 if precision == "fp32" else FP16
    program = captured_of(net, X)
    parities = judged(lambda inputs: (run(*inputs),), others_of(net, X), program, precision, limit)
    return parities[0] if parities else None


def test_four_statistics_of_an_image() -> None:
    made = other_inputs((X, torch.arange(3), torch.full((2,), torch.inf)))
    assert list(made) == ["scaled by 0.1", "scaled by 3", "constant", "bright", "integers moved"]
    bright, whole, mask = made["bright"]
    assert bright.mean() > 0.7 * X.abs().max()
    assert torch.equal(whole, torch.arange(3))
    assert mask.isinf().all()
    assert made["constant"][0].unique().numel() == 1


def test_pixels_stay_whole_and_in_range() -> None:
    pixels = (torch.rand(1, 3, 4, 4) * 255).round()
    for inputs in other_inputs((pixels,)).values():
        assert torch.equal(inputs[0], inputs[0].round())
        assert inputs[0].min() >= 0 and inputs[0].max() <= 255


def test_whole_numbers_change_places_alone() -> None:
    (moved,) = other_inputs((torch.arange(5),)).values()
    assert moved[0].tolist() == [4, 0, 1, 2, 3]
    assert not other_inputs((torch.tensor([True, False]),))


def test_what_is_wrong_off_the_example_fails_by_name() -> None:
    net = Call(lambda s, x: x.abs().sum((2, 3)))
    wrong = verdict(net, lambda x: x.abs().sum((2, 3)).clamp(max=100.0))
    assert wrong is not None and not wrong.passed
    assert {"scaled by 3", "bright"} <= {note.split(":")[0] for note in wrong.notes}
    right = verdict(net, net)
    assert right is not None and right.passed and len(right.inputs) == 4 and not right.notes


def test_noise_of_the_model_is_not_held_against_a_runtime() -> None:
    """Digits that float32 drops are no runtime's fault."""

    def own_rounding(x: torch.Tensor) -> torch.Tensor:
        return (x + 1e5) - 1e5

    only = [Other("bright", (X,), (own_rounding(X),)), Other("constant", (X * 0,), (X * 0,))]
    program = captured_of(Call(lambda s, x: own_rounding(x)), X)
    (parity,) = judged(lambda inputs: (inputs[0],), only, program, "fp32", FP32)
    assert parity.passed and parity.inputs == ("constant",)
    assert "bright: not judged, the model's own rounding" in parity.notes[0]


def test_a_graph_that_is_another_function_is_no_noise() -> None:
    """A rule or a capture that is right on the example alone is not excused by its own outputs."""
    net = Call(lambda s, x: x.abs().sum((2, 3)))
    captured = captured_of(net, X)
    wrong = captured_of(Call(lambda s, x: x.abs().sum((2, 3)).clamp(max=100.0)), X)
    for precision, limit in (("fp32", FP32), ("fp16", FP16)):
        for program, original in ((wrong, captured), (wrong, wrong)):
            (parity,) = judged(program.run, others_of(net, X), program, precision, limit, original)
            assert not parity.passed and "scaled by 3: relative L2" in " ".join(parity.notes)


def test_what_is_not_finite_is_not_judged() -> None:
    net = Call(lambda s, x: x + (x - x.mean()).sum() * 0 + (1 / x.std() * 0))
    parity = verdict(net, net)
    assert parity is not None and "constant" not in parity.inputs
    assert any("not finite there" in note for note in parity.notes)


def test_float16_is_held_against_pytorch_in_float16() -> None:
    net = Call(lambda s, x: (x * 200).square().mean((2, 3)).sqrt())
    parity = verdict(net, lambda x: (x.half() * 200).square().mean((2, 3)).sqrt().float(), "fp16")
    assert parity is not None and parity.passed
    assert any("scaled by 3: not judged" in note for note in parity.notes)


def test_an_export_is_checked_on_them_and_verify_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    exported = edgevit.export("net.py:Net", target="linux-x86", format="onnx", output=out)
    row = exported.parity[-1]
    assert row.passed and row.stage == "other inputs" and len(row.inputs) == 4
    assert "bright" in json.loads((out / "edgevit.json").read_text())["parity"][-1]["inputs"]
    kept = load_others(out)
    assert [other.name for other in kept] == list(row.inputs)
    again = verify(out)
    assert again.parity[-1].inputs == row.inputs and again.passed
