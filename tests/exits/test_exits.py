"""Models with early exits: cut into parts that compute the same, thresholds, and a host that stops early."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.cli.main import main
from edgevit.errors import UsageError
from edgevit.exits import export_exits
from edgevit.exits.parts import exit_parts
from edgevit.exits.thresholds import NEVER, choose_thresholds
from tests.rewrites.checking import program_for


class Exiting(nn.Module):
    """Later parts read the image again, half of a split that an earlier one made, and a weight twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.shared, self.last = nn.Conv2d(1, 4, 3), nn.Linear(2, 3), nn.Linear(16, 3)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        a, b = self.stem(image).relu().mean((2, 3)).split(2, 1)
        first = self.shared(a)
        second = self.shared(b) + first
        return [first, second, 4 * self.last(image.flatten(1)) + second]


def test_parts_compute_what_the_model_does_and_nothing_twice() -> None:
    net, x = Exiting(), torch.randn(1, 1, 4, 4)
    program = program_for(net, x)
    parts = exit_parts(program)
    values = {program.input_names[0]: x}
    for part, expected in zip(parts, net(x), strict=True):
        outputs = part.module(*(values[name] for name in part.inputs))
        values.update(zip(part.outputs, outputs, strict=True))
        torch.testing.assert_close(outputs[0], expected)
    calls = [node for part in parts for node in part.module.graph.nodes if node.op == "call_function"]  # fmt: skip
    assert len(calls) == len(list(program.calls()))


@pytest.mark.parametrize("exits", [2, 5])
def test_thresholds_are_the_cheapest_that_lose_little(exits: int) -> None:
    """The first exit is right where it is sure; where it is not, its guess is a coin's."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 1000)
    signed = np.where(labels == 1, 1.0, -1.0)
    hard = draw.random(1000) < 0.3
    unsure = np.where(hard, draw.choice([-0.5, 0.5], 1000), 3 * signed)
    early = np.stack([-unsure, unsure], 1)
    last = np.stack([-signed, signed], 1)
    chosen = choose_thresholds([early] * (exits - 1) + [last], labels, [1.0] * exits, 0.5)
    assert chosen.shares[0] == pytest.approx(1 - hard.mean())
    assert chosen.top1 == chosen.last_top1 == 100
    none = choose_thresholds([early] * (exits - 1) + [last], labels, [1.0] * exits, 0.05)
    assert none.shares[-1] == 1 and set(none.values) == {
        NEVER
    }  # one of 1000 would be more than 0.05


@pytest.mark.parametrize(("format", "file"), [("onnx", None), ("executorch", "Exiting.pte")])
def test_a_host_stops_at_the_exit_that_is_sure(
    format: str, file: str | None, tmp_path: Path
) -> None:
    net, images = Exiting().eval(), torch.randn(40, 1, 4, 4)
    with torch.no_grad():
        labels = net(images)[-1].argmax(1)
    np.savez(tmp_path / "data.npz", images=images.numpy(), labels=labels.numpy())
    made = export_exits(
        net, (images[:1],), target="linux-x86", data=tmp_path / "data.npz",
        output=tmp_path / "out", max_drop=50, format=format,
    )  # fmt: skip
    assert made.thresholds.cost < 1 and f"top-1 {made.thresholds.top1:.2f} %" in str(made)
    plan = json.loads((tmp_path / "out" / "exits.json").read_text())
    if file:
        assert {part["file"] for part in plan["parts"]} == {file}
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted([file, "exits.json", "run_exits.py"])  # fmt: skip
    spec = importlib.util.spec_from_file_location("run_exits", tmp_path / "out" / "run_exits.py")
    assert spec is not None and spec.loader is not None
    host = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(host)
    classify, left = host.load(), []
    for image in images.split(1):
        logits, number = classify(image.numpy())
        torch.testing.assert_close(torch.from_numpy(logits), net(image)[number - 1], rtol=1e-4, atol=1e-4)  # fmt: skip
        left.append(number)
    for number, part in enumerate(plan["parts"], 1):
        assert left.count(number) / len(left) == pytest.approx(part["share"], abs=0.03)


def test_firmware_stops_at_the_exit_that_is_sure(tmp_path: Path) -> None:
    net, images = Exiting().eval(), torch.randn(40, 1, 4, 4)
    with torch.no_grad():
        labels = net(images)[-1].argmax(1)
    np.savez(tmp_path / "data.npz", images=images.numpy(), labels=labels.numpy())
    made = export_exits(
        net, (images[:1],), target="qemu-m4", data=tmp_path / "data.npz",
        output=tmp_path / "out", max_drop=20,
    )  # fmt: skip
    plan = json.loads((tmp_path / "out" / "exits.json").read_text())
    counts = [part["instructions"] for part in plan["parts"]]
    assert counts == sorted(counts) and plan["expected"]["mean_instructions"] <= counts[-1]
    assert f"{counts[0]:,} instructions" in str(made) and sum(made.thresholds.shares) == 1
    header = (tmp_path / "out" / "edgevit_exits.h").read_text()
    assert "ev_model_most[] = {" in header
    assert "ev_model_run_early" in (tmp_path / "out/net/firmware/edgevit_model.h").read_text()


def test_what_has_no_exits_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--target", "linux-x86", "--data", str(tmp_path), "-o", str(tmp_path / "out")]
    assert main(["exits", "zoo:vit-i32-p8-d24-h2-l1", *words, "--format", "tvm"]) == 2
    assert "exits are not written as tvm" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no exits"):
        export_exits(
            nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), (torch.zeros(1, 1, 4, 4),),
            target="linux-x86", data=tmp_path, output=tmp_path / "out",
        )  # fmt: skip


class Shared(nn.Module):
    """Both exits go through one large weight."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.shared = nn.Conv2d(1, 4, 3), nn.Linear(256, 256)
        self.a, self.b = nn.Linear(256, 3), nn.Linear(256, 3)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        x = self.shared(image.flatten(1)).relu()
        return [self.a(x), self.b(self.shared(x).relu())]


@pytest.mark.parametrize(("format", "target"), [("coreml", "iphone-16"), ("executorch", "android")])
def test_functions_of_one_file_share_their_weights(
    format: str, target: str, tmp_path: Path
) -> None:
    images = torch.randn(12, 1, 16, 16)
    np.savez(tmp_path / "data.npz", images=images.numpy(), labels=np.arange(12) % 3)
    exits = export_exits(
        Shared().eval(), (images[:1],), target=target, format=format,
        data=tmp_path / "data.npz", output=tmp_path / "out", max_drop=100,
    )  # fmt: skip
    assert [part["function"] for part in exits.plan["parts"]] == ["exit_1", "exit_2"]
    one_copy = 256 * 256 * (2 if format == "coreml" else 4)
    assert one_copy < exits.plan["bytes"] < 1.2 * one_copy


def test_an_older_system_gets_a_package_for_each_exit(tmp_path: Path) -> None:
    pytest.importorskip("coremltools")
    images = torch.randn(6, 1, 4, 4)
    np.savez(tmp_path / "data.npz", images=images.numpy(), labels=np.arange(6) % 3)
    exits = export_exits(
        Exiting().eval(), (images[:1],), target="iphone-12", data=tmp_path / "data.npz",
        output=tmp_path / "out", max_drop=100,
    )  # fmt: skip
    assert [part["function"] for part in exits.plan["parts"]] == [None] * 3
    assert all((tmp_path / "out" / part["file"]).exists() for part in exits.plan["parts"])
