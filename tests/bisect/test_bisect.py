"""`edgevit bisect`: the first call where an artifact departs, as a net of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import edgevit
from edgevit.backends import Artifact, Lowering
from edgevit.backends.onnx.backend import Onnx
from edgevit.cli.main import main
from edgevit.errors import EdgevitError
from edgevit.graph.program import Program, copy_graph

NET = '''
import torch
from torch import nn


class Net(nn.Module):
    """Two branches, an uneven split and a constant branch, so that few places are free to cut at."""

    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x).relu()
        left, right = x.split([3, 5], 1)
        x = torch.cat([left.tanh(), right.sigmoid()], 1)
        return self.head(x.mean((2, 3)))


def build():
    torch.manual_seed(0)
    net = Net().eval()
    net.example_inputs = (torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(5)),)
    net.preprocess = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    return net
'''
EXPORT = ["--target", "linux-x86", "--format", "onnx"]
Plant = Callable[[Callable[[Program], Program]], None]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "net.py"
    path.write_text(NET)
    return path


@pytest.fixture(scope="module")
def exported(net: Path) -> Path:
    folder = net.with_name("out")
    assert main(["export", f"{net}:build", *EXPORT, "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Put a fault into the lowering."""
    lower = Onnx.lower

    def put(fault: Callable[[Program], Program]) -> None:
        def wrong(self: Onnx, request: Lowering) -> Artifact:
            return lower(self, replace(request, program=fault(request.program)))

        monkeypatch.setattr(Onnx, "lower", wrong)

    return put


def _instead(program: Program, wrong: dict[str, torch._ops.OpOverload], alone: bool) -> Program:
    """Compute other calls in the place of some. `alone`: also where the call before is an output."""
    graph = copy_graph(program.graph)
    outputs = graph.output_node().args[0]
    for node in graph.nodes:
        fused = node.op == "call_function" and node.all_input_nodes[0] not in outputs
        if node.op == "call_function" and str(node.target) in wrong and (alone or fused):
            node.target = wrong[str(node.target)]
    return replace(program, graph=graph)


def wrong_tanh(program: Program) -> Program:
    return _instead(program, {"aten.tanh.default": torch.ops.aten.sin.default}, True)


def wrong_after_a_convolution(program: Program) -> Program:
    reads = [n for n in program.calls() if str(n.target) == "aten.relu.default"]
    if any(n.all_input_nodes[0].op == "placeholder" for n in reads):
        return program
    return _instead(program, {"aten.relu.default": torch.ops.aten.neg.default}, False)


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["bisect", *words, "--json", "--quiet"])
    return code, json.loads(capsys.readouterr().out)


def test_an_artifact_that_agrees(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = command(capsys, str(exported))
    assert code == 0
    assert answer["passed"] and answer["cause"] is None
    assert 0 < answer["apart"]["rel_l2"] < 1e-5
    assert answer["inputs"] and answer["output"]
    assert not exported.with_name("out-bisect").exists()
    assert "agrees: relative L2" in str(edgevit.bisect(exported))


def test_the_first_call_that_departs_is_a_net_of_its_own(
    net: Path, plant: Plant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(wrong_tanh)
    folder = tmp_path / "out"
    assert main(["export", f"{net}:build", *EXPORT, "-o", str(folder)]) == 9
    assert "edgevit bisect" in capsys.readouterr().out
    code, answer = command(capsys, str(folder))
    assert (code, answer["cause"]) == (9, "call")
    alone = answer["alone"]
    assert [call["op"] for call in alone["calls"]] == ["tanh"]
    assert "net.py:" in alone["source"]
    numbers = alone["numbers"]
    assert (
        abs(numbers["float32"] - numbers["float64"])
        < 1e-6
        < abs(numbers["artifact"] - numbers["float64"])
    )
    files = tmp_path / "out-bisect"
    assert {path.name for path in files.iterdir()} == {
        "issue.md",
        "net.onnx",
        "net.py",
        "net.safetensors",
    }
    text = (files / "issue.md").read_text()
    assert "aten.tanh.default" in text and "onnxruntime" in text and "input.0" in text
    again = main(["export", f"{files / 'net.py'}:build", *EXPORT, "-o", str(tmp_path / "again")])
    assert again == 9  # the net alone departs too


def test_calls_that_depart_only_together(net: Path, plant: Plant, tmp_path: Path) -> None:
    plant(wrong_after_a_convolution)
    result = edgevit.export(
        f"{net}:build", target="linux-x86", format="onnx", output=tmp_path / "out"
    )
    assert not result.passed
    alone = edgevit.bisect(result).as_dict()["alone"]
    assert [call["op"] for call in alone["calls"]] == ["conv2d", "relu"]
    assert alone["hidden"]


def test_a_picture(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "a.png"
    Image.fromarray(np.full((9, 9, 3), 90, np.uint8)).save(picture)
    code, answer = command(capsys, str(exported), "--image", str(picture))
    assert (code, answer["inputs"]) == (0, "a.png")
    code, answer = command(capsys, str(exported), "--image", str(tmp_path / "none.png"))
    assert code == 16


def test_a_folder_that_tells_nothing(
    exported: Path, net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(capsys, str(tmp_path))[0] == 12
    altered = tmp_path / "altered"
    shutil.copytree(exported, altered)
    (altered / "Net.onnx").write_bytes(b"no graph")
    assert command(capsys, str(altered))[0] == 12
    (altered / "Net.onnx").unlink()
    assert command(capsys, str(altered))[0] == 12
    net.write_text(NET.replace("manual_seed(0)", "manual_seed(1)"))
    try:
        code, answer = command(capsys, str(exported))
    finally:
        net.write_text(NET)
    assert code == 3
    assert "weights are others" in answer["why"]


def test_a_model_from_python(tmp_path: Path) -> None:
    model, x = torch.nn.Conv2d(3, 4, 3).eval(), torch.randn(1, 3, 8, 8)
    result = edgevit.export(model, x, target="linux-x86", format="onnx", output=tmp_path / "out")
    assert edgevit.bisect(result, model).passed
    with pytest.raises(EdgevitError):
        edgevit.bisect(result)
