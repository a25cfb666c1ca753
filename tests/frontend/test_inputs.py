"""Several inputs: by text on the command line, by name in Python, and of pictures with text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import edgevit
from benchmarks.small_configs import INPUT_SIZE, SMALL_CONFIGS
from edgevit.errors import EdgevitError, ModelError, UsageError
from edgevit.frontend.input_text import read_input_text, stated_inputs
from edgevit.frontend.live_weights import liveness
from edgevit.frontend.resolve import resolve
from edgevit.graph.other_inputs import other_inputs

NET = """
import torch
class Pair(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2)
        self.table = torch.nn.Embedding(50, 8)
    def forward(self, image, ids, mask):
        words = self.table(ids) * mask.unsqueeze(-1)
        return {"scores": self.conv(image).mean((2, 3)) + words.sum(1), "words": words}
"""
TEXT = "image=1x3x16x16,ids=1x6:int64:50,mask=1x6:bool"
NAMES = {
    "clip": (("pixel_values", "input_ids"), ("logits_per_image", "image_embeds", "text_embeds")),
    "clip-text": (("input_ids",), ("last_hidden_state", "text_embeds")),
    "clip-vision": (("pixel_values",), ("last_hidden_state", "image_embeds")),
    "vit-mae": (("pixel_values", "noise"), ("last_hidden_state",)),
    "trocr": (("pixel_values", "decoder_input_ids"), ("logits",)),
    "sam": (("pixel_values",), ("last_hidden_state",)),
    "detr": (("pixel_values",), ("logits", "pred_boxes")),
    "dpt": (("pixel_values",), ("predicted_depth",)),
    "levit": (("pixel_values",), ("logits",)),  # it keeps biases that it has indexed with
}


TILES = {
    "model_type": "mllama_vision_model",
    "architectures": ["MllamaVisionModel"],
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_global_layers": 1,
    "attention_heads": 2,
    "intermediate_size": 16,
    "image_size": 32,
    "patch_size": 8,
    "max_num_tiles": 1,
    "supported_aspect_ratios": [[1, 1]],
    "intermediate_layers_indices": [0],
    "vision_output_dim": 32,
}


def config_in(folder: Path, name: str) -> str:
    (folder / "config.json").write_text(json.dumps(SMALL_CONFIGS[name]))
    return f"hf:{folder}"


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return f"{tmp_path / 'net.py'}:Pair"


def test_a_text_says_names_shapes_types_and_files(tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", np.arange(6, dtype=np.int32).reshape(1, 3, 2))
    read = read_input_text(f"{TEXT},points={tmp_path / 'points.npy'}", seed=0)
    assert {name: (tuple(x.shape), x.dtype) for name, x in read.items()} == {
        "image": ((1, 3, 16, 16), torch.float32),
        "ids": ((1, 6), torch.int64),
        "mask": ((1, 6), torch.bool),
        "points": ((1, 3, 2), torch.int32),
    }
    assert int(read["ids"].max()) < 50
    assert read["points"].flatten().tolist() == list(range(6))


@pytest.mark.parametrize(
    "text",
    [
        "1x3x8x8",
        "x=",
        "x=1x0x3",
        "x=1x3:half",
        "x=1x3:int8:300",
        "x=1x3:float32:9",
        "x=2,x=2",
        "x=none.npy",
        "x=99999x99999",
    ],
)
def test_a_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(EdgevitError) as caught:
        read_input_text(text, seed=0)
    assert caught.value.exit_code != 70
    assert caught.value.where
    assert caught.value.why
    assert caught.value.hint


def test_names_and_types_reach_the_artifact(net: str, tmp_path: Path) -> None:
    result = edgevit.export(
        net, target="linux-x86", format="onnx", inputs=TEXT, output=tmp_path / "o"
    )
    assert result.passed
    assert [(x["name"], x["dtype"]) for x in result.manifest["model"]["inputs"]] == [
        ("image", "float32"),
        ("ids", "int64"),
        ("mask", "bool"),
    ]
    assert f"--inputs {TEXT}" in result.manifest["command"]
    assert edgevit.verify(tmp_path / "o").passed


def test_beside_other_ways_to_say_it_the_text_is_refused(net: str) -> None:
    image = torch.zeros(1, 3, 16, 16)
    for options in ({"example_inputs": image}, {"batch": 2}):
        with pytest.raises(UsageError):
            resolve(net, inputs=TEXT, **options)
    with pytest.raises(ModelError) as caught:
        resolve(net, inputs=TEXT.replace("ids", "tokens"))
    assert "'ids'" in caught.value.why


@pytest.mark.parametrize("name", NAMES)
def test_pictures_text_and_noise_of_a_config(name: str, tmp_path: Path) -> None:
    source = resolve(config_in(tmp_path, name), weights="random", input_size=INPUT_SIZE.get(name))
    assert (source.input_names, source.output_names) == NAMES[name]
    assert (source.preprocess is None) == ("pixel_values" not in source.input_names)
    if source.input_names == ("pixel_values",):
        assert liveness(source.module, source.inputs) > 1e-3


def test_a_tower_of_a_pair_by_the_name_of_its_class(tmp_path: Path) -> None:
    spec = config_in(tmp_path, "clip")
    tower = resolve(f"{spec}?CLIPTextModelWithProjection", weights="random")
    assert tower.input_names == ("input_ids",)
    assert tower.name.endswith("-CLIPTextModelWithProjection")
    with pytest.raises(ModelError) as caught:
        resolve(f"{spec}?CLIPTextTower", weights="random")
    assert "CLIPText" in caught.value.hint


def test_inputs_of_an_architecture_are_named_by_the_caller(tmp_path: Path) -> None:
    text = "pixel_values=1x3x32x32,input_ids=1x9:int64:100,attention_mask=1x9:int64"
    source = resolve(config_in(tmp_path, "clip"), weights="random", inputs=text)
    assert source.input_names == ("pixel_values", "input_ids", "attention_mask")
    by_position = resolve(f"hf:{tmp_path}", source.inputs[:2], weights="random")
    assert by_position.input_names == ("pixel_values", "input_ids")


def test_an_architecture_that_misses_an_input_names_it_and_takes_it(tmp_path: Path) -> None:
    spec = f"hf:{tmp_path}"
    (tmp_path / "config.json").write_text(json.dumps(TILES))
    with pytest.raises(ModelError) as caught:
        resolve(spec, weights="random")
    own = "pixel_values=1x3x32x32"
    assert caught.value.hint == f"--inputs {own},aspect_ratio_ids=SHAPE,aspect_ratio_mask=SHAPE"
    text = "pixel_values=1x1x1x3x32x32,aspect_ratio_ids=1x1:int64:2,aspect_ratio_mask=1x1x1:int64"
    source = resolve(spec, weights="random", inputs=text)
    assert source.input_names == ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")
    assert stated_inputs({"ids": torch.tensor([[0, 4]])}) == "ids=1x2:int64:5"


def test_integers_are_checked_on_another_order() -> None:
    ids, mask = torch.tensor([[3, 1, 2]]), torch.tensor([[True, False, True]])
    (moved,) = other_inputs((ids, mask)).values()
    assert moved[0].tolist() == [[2, 3, 1]]
    assert torch.equal(moved[1], mask)
    assert other_inputs((mask,)) == {}
