"""transformers models from small configs: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from edgevit.errors import ModelError, WeightsError
from edgevit.frontend import hub
from edgevit.frontend.hf_preprocess import preprocess_of, processor_values
from edgevit.frontend.live_weights import liveness
from edgevit.frontend.resolve import resolve
from edgevit.frontend.torchvision_ops import make_torchvision_importable

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "vit": {"model_type": "vit", **TINY, "image_size": 32, "patch_size": 8},
    "mobilevit": {
        "model_type": "mobilevit",
        "hidden_sizes": [16, 24, 32],
        "neck_hidden_sizes": [8, 8, 16, 16, 24, 24, 32],
        "image_size": 64,
        "num_attention_heads": 2,
    },
    "swin": {
        "model_type": "swin",
        "embed_dim": 16,
        "depths": [1, 1],
        "num_heads": [2, 2],
        "window_size": 4,
        "image_size": 32,
    },
    "dinov2": {
        "model_type": "dinov2",
        **TINY,
        "image_size": 56,
        "patch_size": 14,
        "architectures": ["Dinov2Model"],
    },
    "segformer": {
        "model_type": "segformer",
        "depths": [1, 1, 1, 1],
        "hidden_sizes": [8, 16, 16, 32],
        "num_attention_heads": [1, 1, 2, 2],
        "decoder_hidden_size": 16,
        "image_size": 64,
        "architectures": ["SegformerForSemanticSegmentation"],
    },
    "video": {
        "model_type": "videomae",
        **TINY,
        "image_size": 16,
        "patch_size": 8,
        "num_frames": 4,
        "architectures": ["VideoMAEForVideoClassification"],
    },
    "clips": {
        "model_type": "xclip",
        "text_config": {**TINY, "vocab_size": 20, "max_position_embeddings": 8, "eos_token_id": 19},
        "vision_config": {
            **TINY,
            "image_size": 16,
            "patch_size": 8,
            "num_frames": 3,
            "mit_hidden_size": 32,
            "mit_intermediate_size": 64,
            "mit_num_hidden_layers": 1,
            "mit_num_attention_heads": 2,
        },
        "projection_dim": 32,
        "prompt_layers": 1,
        "prompt_num_attention_heads": 2,
        "architectures": ["XCLIPModel"],
    },
    "yolos": {
        "model_type": "yolos",
        **TINY,
        "image_size": [32, 48],
        "num_detection_tokens": 5,
    },
}
OUTPUTS = {
    "vit": {"logits": (1, 2)},
    "mobilevit": {"logits": (1, 2)},
    "swin": {"logits": (1, 2)},
    "dinov2": {"last_hidden_state": (1, 17, 32), "pooler_output": (1, 32)},
    "segformer": {"logits": (1, 2, 16, 16)},
    "video": {"logits": (1, 2)},
    "clips": {"logits_per_video": (1, 1), "video_embeds": (1, 32), "text_embeds": (1, 1, 32)},
    "yolos": {"logits": (1, 5, 3), "pred_boxes": (1, 5, 4)},
}


def config_in(folder: Path, config: dict[str, Any]) -> str:
    (folder / "config.json").write_text(json.dumps(config))
    return f"hf:{folder}"


@pytest.mark.parametrize("name", CONFIGS)
def test_an_architecture_is_a_function_of_tensors_that_exports(name: str, tmp_path: Path) -> None:
    source = resolve(config_in(tmp_path, CONFIGS[name]))
    outputs = source.module(*source.inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    shapes = [tuple(x.shape) for x in outputs]
    assert dict(zip(source.output_names, shapes, strict=True)) == OUTPUTS[name]
    assert liveness(source.module, source.inputs) > 1e-2
    exported = torch.export.export(source.module, source.inputs).module()(*source.inputs)
    exported = exported if isinstance(exported, tuple) else (exported,)
    for eager, graph in zip(outputs, exported, strict=True):
        torch.testing.assert_close(graph, eager, rtol=1e-5, atol=1e-5)


def test_the_input_size_moves_the_position_table(tmp_path: Path) -> None:
    source = resolve(config_in(tmp_path, CONFIGS["vit"]), input_size=(16, 24))
    assert source.inputs[0].shape == (1, 3, 16, 24)
    assert source.preprocess is not None
    assert source.preprocess.size == (16, 24)


def test_a_folder_with_weights_is_loaded_and_must_be_whole(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTModel

    config = ViTConfig(**TINY, image_size=32, patch_size=8)
    saved = ViTForImageClassification(config).eval()
    saved.save_pretrained(tmp_path / "whole")
    source = resolve(f"hf:{tmp_path / 'whole'}", weights="pretrained")
    assert source.weights == "pretrained"
    with torch.no_grad():
        assert torch.equal(source.module(*source.inputs), saved(*source.inputs).logits)

    ViTModel(config).save_pretrained(tmp_path / "headless")
    stated = json.loads((tmp_path / "headless" / "config.json").read_text())
    stated["architectures"] = ["ViTForImageClassification"]
    config_in(tmp_path / "headless", stated)
    with pytest.raises(WeightsError) as caught:
        resolve(f"hf:{tmp_path / 'headless'}", weights="pretrained")
    assert "lack 2 parameters of ViTForImageClassification" in caught.value.message
    assert "classifier.weight" in caught.value.why


def test_a_weights_file_is_read_by_either_naming(tmp_path: Path) -> None:
    """transformers saves under other names than its modules have; state_dict() has theirs."""
    from safetensors.torch import load_file, save_file
    from transformers import ViTConfig, ViTForImageClassification

    saved = ViTForImageClassification(ViTConfig(**TINY, image_size=32, patch_size=8)).eval()
    saved.save_pretrained(tmp_path)
    wrapped = {f"module.{name}": x for name, x in saved.state_dict().items()}
    torch.save({"state_dict": wrapped}, tmp_path / "trained.pth")
    for file in ("model.safetensors", "trained.pth"):
        source = resolve(f"hf:{tmp_path}", weights=str(tmp_path / file))
        assert source.weights == str(tmp_path / file)
        with torch.no_grad():
            assert torch.equal(source.module(*source.inputs), saved(*source.inputs).logits)

    weights = load_file(tmp_path / "model.safetensors")
    del weights["vit.layernorm.bias"]
    weights |= {"classifier.weight": torch.zeros(5, 32), "more": torch.zeros(1)}
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError) as caught:
        resolve(f"hf:{tmp_path}", weights=str(tmp_path / "other.safetensors"))
    assert "1 missing: vit.layernorm.bias" in caught.value.why
    assert "1 unexpected: more" in caught.value.why
    assert "classifier.weight is 5x32, the model has 2x32" in caught.value.why


def test_weights_of_a_bare_architecture_do_not_exist() -> None:
    with pytest.raises(WeightsError) as caught:
        resolve("hf:vit", weights="pretrained")
    assert "hf:ORG/NAME" in caught.value.hint


def test_models_that_are_not_about_images_or_not_ours_to_run(tmp_path: Path) -> None:
    text = {"model_type": "bert", **TINY, "vocab_size": 10, "max_position_embeddings": 8}
    with pytest.raises(ModelError) as caught:
        resolve(config_in(tmp_path, text))
    assert "not a vision model" in caught.value.message
    assert "`input_ids`" in caught.value.why

    foreign = {"model_type": "mine", "auto_map": {"AutoConfig": "code.MyConfig"}}
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError) as caught:
        resolve(config_in(tmp_path, foreign))
    assert "--trust" in caught.value.hint
    assert not (tmp_path / "ran").exists()


def test_a_config_that_its_class_refuses_is_told_with_the_cause(tmp_path: Path) -> None:
    config = {"model_type": "seggpt", "merge_index": 9, "intermediate_hidden_state_indices": [1]}
    with pytest.raises(ModelError) as caught:
        resolve(config_in(tmp_path, config))
    assert "Merge index must be less" in caught.value.why


def test_labels_only_when_they_say_something(tmp_path: Path) -> None:
    labels = {"0": "cat", "1": "dog"}
    assert resolve(config_in(tmp_path, CONFIGS["vit"])).labels == ()
    named = resolve(config_in(tmp_path, {**CONFIGS["vit"], "id2label": labels}))
    assert named.labels == ("cat", "dog")


@pytest.fixture(autouse=True)
def _torchvision() -> None:
    make_torchvision_importable()  # processors import it


def test_preprocessing_as_the_processor_does_it(tmp_path: Path) -> None:
    """The processor's own result on a picture is what the stated formula gives."""
    from transformers import MobileViTImageProcessor, ViTImageProcessor

    picture = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    for name, made in (("vit", ViTImageProcessor), ("mobilevit", MobileViTImageProcessor)):
        processor = made(
            do_resize=False, do_center_crop=False, rescale_factor=1 / 127.5, image_mean=[0.4] * 3
        )
        folder = tmp_path / name
        folder.mkdir()
        processor.save_pretrained(folder)
        stated = resolve(config_in(folder, CONFIGS[name])).preprocess
        assert stated is not None
        channels = picture.float() if stated.channel_order == "rgb" else picture.float().flip(0)
        mean, std = (torch.tensor(x).view(3, 1, 1) for x in (stated.mean, stated.std))
        expected = processor(picture, return_tensors="pt")["pixel_values"][0]
        torch.testing.assert_close((channels / 255 - mean) / std, expected)


def test_a_processor_class_that_states_nothing_is_no_preprocessing() -> None:
    """timm's wrapper has another mean for each model, and 0 to 255 is none of them."""
    assert processor_values(["timm_wrapper"], "timm_wrapper") == {}
    assert processor_values(["vit"], "vit")["do_rescale"] is True


def test_the_crop_is_the_part_kept_of_the_resized_picture() -> None:
    values = {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}
    kept = preprocess_of({**values, "do_center_crop": True}, (224, 224), 3)
    assert kept is not None
    assert kept.crop_pct == 224 / 256
    assert preprocess_of({}, (224, 224), 3) is None  # not known: no guess


def test_offline_the_hub_client_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for reachable in (False, True):
        monkeypatch.setattr(hub, "_reachable", lambda _url, answer=reachable: answer)
        with hub.hub_access():
            assert constants.HF_HUB_OFFLINE is not reachable
        assert constants.HF_HUB_OFFLINE is False
