"""Every kind of model spec, and every way to get one wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from edgevit.errors import EdgevitError, ModelError, ToolMissing, UsageError
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, picture):
        if picture.shape[-1] != 16:
            raise ValueError("16 pixels, please")
        return self.drop(self.conv(picture))

net = Net()

def build():
    return Net()

def with_inputs():
    return Net(), (torch.randn(1, 3, 16, 16),)

def raises():
    raise RuntimeError("no weights today")

def returns_nothing():
    pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "deep.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [n for n in sys.modules if n.split(".")[0] == "pack"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "spec", ["net.py:build", "net.py:Net", "net.py:net", "pack.deep:build", "net.py:with_inputs"]
)
def test_a_callable_a_class_or_a_module(folder: Path, spec: str) -> None:
    source = resolve(spec, input_size=None if "inputs" in spec else 16)
    assert source.name == "Net"
    assert source.input_names == ("picture",)
    assert source.weights == "as built"
    assert not source.module.training
    assert not any(p.requires_grad for p in source.module.parameters())
    assert source.module(*source.inputs).shape == (1, 4, 14, 14)


def refused(spec: str, **options: object) -> EdgevitError:
    with pytest.raises(EdgevitError) as caught:
        resolve(spec, **options)
    return caught.value


def test_a_callable_that_raises_is_shown_with_its_line(folder: Path) -> None:
    error = refused("net.py:raises")
    assert isinstance(error, ModelError)
    assert "net.py:24" in error.where
    assert "no weights today" in error.why


def test_what_is_no_model(folder: Path) -> None:
    assert "None" in refused("net.py:returns_nothing").why
    assert "`build`" in refused("net.py:biuld").hint
    assert "no file" in refused("nett.py:build").message
    assert "net.py" in refused("nett.py:build").hint
    assert "no module" in refused("pack.deeep:build").message
    assert "net.py:build" in refused("net.py").hint
    assert "MODEL --weights" in refused("weights.safetensors").hint


def test_a_wrong_input_size_is_found_before_anything_else(folder: Path) -> None:
    error = refused("net.py:build", input_size=20)
    assert isinstance(error, ModelError)
    assert "1x3x20x20" in error.message
    assert "net.py:12" in error.where
    assert "16 pixels, please" in error.why


def test_timm_models_with_preprocessing_and_labels() -> None:
    source = resolve("timm:mobilenetv4_conv_small_035", input_size=64)
    assert source.name == "mobilenetv4_conv_small_035"
    assert source.weights == "random (seed 0)"
    assert source.inputs[0].shape == (1, 3, 64, 64)
    assert source.preprocess is not None
    assert source.preprocess.size == (64, 64)
    assert len(source.preprocess.mean) == len(source.preprocess.std) == 3
    assert len(source.labels) == 1000
    assert source.origin.startswith("timm ")


def test_timm_sizes() -> None:
    assert resolve("timm:vit_tiny_patch16_224", input_size=32).inputs[0].shape == (1, 3, 32, 32)
    error = refused("timm:vit_tiny_patch16_224", input_size=225)
    assert "multiple" in error.why
    assert "--input-size 224" in error.hint


def test_an_unknown_timm_model_names_the_nearest() -> None:
    error = refused("timm:shvit_s")
    assert isinstance(error, ModelError)
    assert "`shvit_s1`" in error.hint


def test_a_missing_zoo_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("timm", "transformers"):
        monkeypatch.setitem(sys.modules, library, None)
    for spec in ("timm:shvit_s1", "hf:vit"):
        error = refused(spec)
        assert isinstance(error, ToolMissing)
        assert error.hint == "pip install 'edgevit[zoo]'"


VIT = {
    "model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32, "patch_size": 16,
    "id2label": {"0": "cat", "1": "dog", "2": "bird"},
}  # fmt: skip


def test_transformers_from_a_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(VIT))
    source = resolve(f"hf:{tmp_path}")
    assert source.inputs[0].shape == (1, 3, 32, 32)
    assert source.labels == ("cat", "dog", "bird")
    program = capture(source)
    assert program.output_names == ("logits",)
    assert program.run()[0].shape == (1, 3)


def test_transformers_by_name_and_wrongly() -> None:
    error = refused("hf:ViTForImageClasification")
    assert "ViTForImageClassification" in error.hint
    assert "hub" in refused("hf:nobody/nothing-at-all").message
    assert "config.json" in refused("hf:./nowhere").message


def test_batch_and_preprocessing_overrides(folder: Path) -> None:
    source = resolve("net.py:with_inputs", mean=[0.5], std=[0.1, 0.2, 0.3])
    assert source.preprocess is not None
    assert source.preprocess.mean == (0.5, 0.5, 0.5)
    assert resolve("net.py:with_inputs", batch=3).inputs[0].shape[0] == 3
    assert isinstance(refused("net.py:with_inputs", batch=0), UsageError)
    assert isinstance(refused("net.py:with_inputs", std=[0.0]), UsageError)
    assert isinstance(refused("net.py:with_inputs", mean=[1.0, 2.0]), UsageError)


def test_the_random_state_of_the_caller_is_left_alone(folder: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    resolve("net.py:with_inputs", weights="random")
    assert torch.equal(torch.rand(1), expected)
