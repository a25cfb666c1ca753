"""Several sizes of one model in one file: axes of the input's lengths in ONNX, signatures in TFLite."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter

from edgevit.cli.main import main
from edgevit.exported import load_golden

NET = """
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.mix = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 8, 3, padding=1)
        self.places = nn.Parameter(torch.randn(1, 8, 4, 4))
        self.qkv, self.head = nn.Linear(8, 24), nn.Linear(8 * 6, 500)

    def forward(self, image):
        x = self.stem(image)
        x = x + F.interpolate(self.places, size=x.shape[2:], mode="bicubic")
        x = x + self.mix(x).relu()
        q, k, v = self.qkv(x.flatten(2).transpose(1, 2)).chunk(3, -1)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        return self.head(F.adaptive_avg_pool2d(y, (2, 3)).flatten(1)), y

def build():
    torch.manual_seed(0)
    return Net().eval(), (torch.randn(1, 3, 32, 48),)
"""


def export(folder: Path, sizes: str, format: str, *more: str) -> int:
    (folder / "net.py").write_text(NET)
    words = ["export", f"{folder}/net.py:build", "--target", "linux-x86", "--format", format]
    return main([*words, "--input-size", sizes, "-o", str(folder / "o"), "--quiet", *more])


def test_the_size_of_the_input_chooses(tmp_path: Path) -> None:
    assert export(tmp_path, "32x48,64x96,96x48", "onnx") == 0
    plan = json.loads((tmp_path / "o" / "sizes.json").read_text())
    session = onnxruntime.InferenceSession(tmp_path / "o" / plan["file"])
    for one in plan["functions"]:
        (x,), expected = load_golden(tmp_path / "o" / one["folder"])
        assert list(x.shape) == one["inputs"][0]["shape"]
        for output, value in zip(session.run(None, {"image": x.numpy()}), expected, strict=True):
            torch.testing.assert_close(torch.from_numpy(output), value, rtol=1e-4, atol=1e-5)
    apart = sum(one["bytes"] for one in plan["functions"])
    assert plan["bytes"] == (tmp_path / "o" / plan["file"]).stat().st_size < apart
    for other in ((48, 32), (64, 64)):  # as many pixels as one of them, and of no size here
        with pytest.raises(Exception, match="none of 1x3x32x48, 1x3x64x96, 1x3x96x48"):
            session.run(None, {"image": torch.zeros(1, 3, *other).numpy()})


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_signature_computes_what_the_file_of_its_size_does(
    precision: str, tmp_path: Path
) -> None:
    more = ("--precision", precision, *(("--calibrate", "generated") * (precision == "int8")))
    assert export(tmp_path, "32x48,64x96", "tflite", *more) == 0
    plan = json.loads((tmp_path / "o" / "sizes.json").read_text())
    joined = Interpreter(str(tmp_path / "o" / plan["file"]))
    for one in plan["functions"]:
        folder = tmp_path / "o" / one["folder"]
        (x,), _ = load_golden(folder)
        own = Interpreter(str(next(folder.glob("*.tflite"))))
        (name,) = own.get_signature_list()
        expected = own.get_signature_runner(name)(image=x.numpy())
        outputs = joined.get_signature_runner(one["function"])(image=x.numpy())
        assert all(np.array_equal(outputs[key], expected[key]) for key in expected)
    apart = sum(one["bytes"] for one in plan["functions"])
    assert plan["bytes"] < (0.8 if precision == "fp32" else 1) * apart
