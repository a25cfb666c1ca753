"""Every kind of model spec, and every way to get one wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from edgevit.errors import EdgevitError, MissingToolError, ModelError, UsageError, WeightsError
from edgevit.frontend import resolve as resolving
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.frontend.trial import run_once

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

class Stated(Net):
    input_size = (3, 16, 16)
    preprocess = {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "crop_pct": 0.9}
    labels = ("a", "b")

class Said(Net):
    def example_inputs(self):
        return torch.ones(2, 3, 16, 16)

def takes_more():
    return Net(), {"picture": 1}

def raises():
    raise RuntimeError("no weights today")

def returns_nothing():
    pass
"""


def line_of(text: str) -> int:
    return next(k for k, line in enumerate(NET.splitlines(), 1) if text in line)


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
    assert error.where == f"net.py:{line_of('no weights today')}"
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
    assert error.where == f"net.py:{line_of('16 pixels')}"
    assert "16 pixels, please" in error.why


@pytest.mark.parametrize(("weights", "runs"), [(None, 1), ("as built", 1), ("random", 2)])
def test_a_model_is_tried_again_with_other_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch, weights: str | None, runs: int
) -> None:
    tried: list[object] = []
    monkeypatch.setattr(
        resolving, "run_once", lambda *given: tried.append(given) or run_once(*given)
    )
    resolve("net.py:with_inputs", weights=weights)
    assert len(tried) == runs


OPERATOR = """
import torch
library = torch.library.Library("edgevit_once", "DEF")
library.define("double(Tensor x) -> Tensor")
library.impl("double", lambda x: x * 2, "CompositeImplicitAutograd")

class Doubled(torch.nn.Conv2d):
    input_size = (3, 8, 8)
    def forward(self, x):
        return torch.ops.edgevit_once.double(super().forward(x))

def build():
    return Doubled(3, 4, 3)

def double(module, x):
    return torch.ops.edgevit_once.double(torch.conv2d(x, module.weight, module.bias))

net = build()
def shared():
    return net
"""


def test_a_file_that_defines_an_operator_replaces_its_own_forward(folder: Path) -> None:
    text = OPERATOR.partition("net = ")[0].replace("edgevit_once", "edgevit_own")
    (folder / "own.py").write_text(text)
    notes = resolve("own.py:build", replace=".=own.py:double", trust=True).notes
    assert any("own.py:double" in note for note in notes)


def test_an_unchanged_file_that_defines_an_operator_is_read_again(folder: Path) -> None:
    (folder / "operator_net.py").write_text(OPERATOR)
    one, other = (resolve("operator_net.py:build") for _ in range(2))
    assert one.module is not other.module
    torch.testing.assert_close(one.module.weight, other.module.weight, rtol=0, atol=0)
    assert resolve("operator_net.py:shared").module.weight.shape == (4, 3, 3, 3)
    error = refused("operator_net.py:shared")  # another export may have changed its weights
    assert "cannot be imported" in error.message
    again = refused("operator_net.py:build", seed=1)  # `net` has drawn by the other seed
    assert "cannot be imported" in again.message
    with (folder / "operator_net.py").open("a") as file:
        file.write("\n")
    assert "cannot be imported" in refused("operator_net.py:build").message


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
        assert isinstance(error, MissingToolError)
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


def test_transformers_by_name_and_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevit.frontend.hub._reachable", lambda endpoint: False)
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


def test_a_model_may_state_its_input_and_preprocessing(folder: Path) -> None:
    source = resolve("net.py:Stated")
    assert source.name == "Stated"
    assert source.inputs[0].shape == (1, 3, 16, 16)
    assert source.preprocess is not None
    assert source.preprocess.mean == (0.1, 0.2, 0.3)
    assert source.preprocess.std == (0.4, 0.5, 0.6)
    assert source.preprocess.crop_pct == 0.9
    assert source.preprocess.size == (16, 16)
    assert source.labels == ("a", "b")
    assert torch.equal(resolve("net.py:Said").inputs[0], torch.ones(2, 3, 16, 16))


def test_example_inputs_of_another_kind(folder: Path) -> None:
    error = refused("net.py:takes_more")
    assert isinstance(error, ModelError)
    assert "no tensor" in error.message
    assert "int" in error.why  # nested inputs are taken; a number in them is not


def test_a_file_that_cannot_be_imported(folder: Path) -> None:
    (folder / "broken.py").write_text("x = 1\ndef build(:\n")
    (folder / "absent.py").write_text("\nimport no_such_library_at_all\n")
    assert "broken.py:2" in refused("broken.py:build").where
    error = refused("absent.py:build")
    assert error.where == "absent.py:2"
    assert "no_such_library_at_all" in error.why


def test_what_is_imported_leaves_no_path_behind(folder: Path) -> None:
    before = list(sys.path)
    resolve("pack.deep:with_inputs")
    refused("net.py:raises")
    assert sys.path == before


TRAINING = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.drop = torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.9)

    def forward(self, x):
        return self.drop(self.norm(x))

def build():
    return Net().train().double(), (torch.randn(4, 3, 5, 5).double(),)

def empty():
    with torch.device("meta"):
        return Net()
"""


def test_eval_mode_and_float32_whatever_the_callable_left(folder: Path) -> None:
    (folder / "training.py").write_text(TRAINING)
    source = resolve("training.py:build")
    assert not any(module.training for module in source.module.modules())
    assert {p.dtype for p in source.module.parameters()} == {torch.float32}
    assert source.inputs[0].dtype == torch.float32
    assert torch.equal(source.module(*source.inputs), source.module(*source.inputs))
    assert torch.equal(source.module.norm.running_mean, torch.zeros(3))  # the trial left no trace
    assert "no data" in refused("training.py:empty", input_size=5).message


def test_labels_must_match_the_outputs(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(VIT))
    assert resolve(f"hf:{tmp_path}", labels=["x", "y", "z"]).labels == ("x", "y", "z")
    error = refused(f"hf:{tmp_path}", labels=["x"])
    assert isinstance(error, UsageError)
    assert "3 outputs" in error.message


def test_a_processor_config_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(VIT))
    processor = {
        "image_processor_type": "ViTImageProcessor", "do_normalize": True, "do_rescale": True,
        "rescale_factor": 1 / 127.5, "image_mean": [1.0, 1.0, 1.0], "image_std": [1.0, 0.5, 2.0],
        "resample": 3, "size": {"height": 32, "width": 32},
    }  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    preprocess = resolve(f"hf:{tmp_path}").preprocess
    assert preprocess is not None
    # pixel / 127.5 - 1 = (pixel / 255 - 0.5) / 0.5
    assert preprocess.mean == pytest.approx((0.5, 0.5, 0.5))
    assert preprocess.std == pytest.approx((0.5, 0.25, 1.0))
    assert preprocess.interpolation == "bicubic"
    assert preprocess.size == (32, 32)


def test_transformers_at_another_size_and_with_its_own_weights(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification

    (tmp_path / "config.json").write_text(json.dumps(VIT))
    assert resolve(f"hf:{tmp_path / 'config.json'}", input_size=48).inputs[0].shape[-1] == 48
    error = refused(f"hf:{tmp_path}", weights="pretrained")
    assert isinstance(error, WeightsError)
    torch.manual_seed(5)
    saved = ViTForImageClassification(ViTConfig(**VIT)).eval()
    saved.save_pretrained(tmp_path)
    source = resolve(f"hf:{tmp_path}", weights="pretrained")
    assert source.weights == "pretrained"
    expected = saved(pixel_values=source.inputs[0]).logits
    assert torch.allclose(source.module(*source.inputs), expected, atol=1e-5)


def test_code_beside_a_config_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nclass Config: pass\n"
    (tmp_path / "own.py").write_text(code)
    own = {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(own))
    error = refused(f"hf:{tmp_path}")
    assert not marker.exists()
    assert "--trust" in error.hint


BERT = {
    "model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8, "num_hidden_layers": 1,
    "num_attention_heads": 1, "intermediate_size": 8, "vocab_size": 9,
}  # fmt: skip


def test_a_text_model_is_not_a_vision_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(BERT))
    error = refused(f"hf:{tmp_path}")
    assert "not a vision model" in error.message


def test_timm_tags() -> None:
    assert "`in1k`" in refused("timm:shvit_s1.in2k").hint
    error = refused("timm:test_vit.r160_in1k_typo")
    assert isinstance(error, ModelError)
    assert "r160_in1k" in error.hint


def test_timm_preprocessing_is_the_one_of_the_tag() -> None:
    import timm

    source = resolve("timm:test_vit.r160_in1k")
    config = timm.data.resolve_data_config(
        pretrained_cfg=timm.get_pretrained_cfg("test_vit.r160_in1k").to_dict()
    )
    assert source.inputs[0].shape == (1, *config["input_size"])
    assert source.preprocess is not None
    assert source.preprocess.mean == config["mean"]
    assert source.preprocess.std == config["std"]
    assert source.preprocess.crop_pct == config["crop_pct"]
    assert source.preprocess.interpolation == config["interpolation"]
    assert source.labels[0].startswith("tench")


# What importing torchvision beside a torch without its operators does, and what makes it work.
SHIM = """
import sys
from edgevit.frontend.torchvision_ops import make_torchvision_importable
make_torchvision_importable()
assert "torchvision" not in sys.modules
import torchvision
import torch
print("defined" if hasattr(torch.ops.torchvision, "nms") else "not defined")
"""


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("RuntimeError('operator torchvision::nms does not exist')", "defined"),
        ("ImportError('no torchvision')", "ImportError: no torchvision"),
        ("RuntimeError('something else')", "RuntimeError: something else"),
    ],
)
def test_torchvision_without_its_operators(error: str, outcome: str, tmp_path: Path) -> None:
    (tmp_path / "torchvision.py").write_text(
        f"import torch\nif not hasattr(torch.ops.torchvision, 'nms'):\n    raise {error}\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", SHIM],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout.strip() or run.stderr.strip().splitlines()[-1]) == outcome
