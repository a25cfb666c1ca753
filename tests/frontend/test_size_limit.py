"""A config whose sizes have no end is refused before anything of that size is made."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.errors import ModelError
from edgevit.frontend.resolve import resolve
from edgevit.frontend.size_limit import require_buildable

VIT = {"architectures": ["ViTForImageClassification"], "model_type": "vit", "hidden_size": 32,
       "num_attention_heads": 2, "intermediate_size": 64, "num_hidden_layers": 1, "image_size": 32}  # fmt: skip


@pytest.mark.parametrize(
    "entries",
    [
        {"num_hidden_layers": 10**9},
        {"hidden_size": 2 * 10**9},
        {"intermediate_size": 10**12},
    ],
    ids=lambda entries: next(iter(entries)),
)
def test_a_config_without_end_is_refused(entries: dict[str, int], tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="pip install 'edgevit[zoo]'")
    (tmp_path / "config.json").write_text(json.dumps(VIT | entries))
    started = time.process_time()
    with pytest.raises(ModelError) as caught:
        resolve(f"hf:{tmp_path}")
    assert "too large to be built" in caught.value.message
    assert caught.value.where and caught.value.why and caught.value.hint
    assert time.process_time() - started < 40


@pytest.mark.parametrize(
    "entries",
    [
        {"patch_size": 0},
        {"num_hidden_layers": "many"},
        {"num_hidden_layers": 1e22},
        {"num_attention_heads": 0},
        {"hidden_act": "nothing"},
        {"image_size": -5},
        {"num_channels": None},
        {"model_type": 7},
        {"model_type": "nothing"},
        {"id2label": {"a": "b"}},
        {"id2label": 7},
    ],
    ids=lambda entries: f"{next(iter(entries))}={next(iter(entries.values()))}",
)
def test_a_config_of_other_values_is_an_error_of_the_model(
    entries: dict[str, object], tmp_path: Path
) -> None:
    pytest.importorskip("transformers", reason="pip install 'edgevit[zoo]'")
    (tmp_path / "config.json").write_text(json.dumps(VIT | entries))
    with pytest.raises(ModelError) as caught:
        resolve(f"hf:{tmp_path}")
    assert caught.value.where and caught.value.why and caught.value.hint


@pytest.mark.parametrize("name", ["os", "pipeline", "ViTConfig"])
def test_only_a_model_is_called_by_the_name_in_a_config(name: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="pip install 'edgevit[zoo]'")
    (tmp_path / "config.json").write_text(json.dumps(VIT | {"architectures": [name]}))
    assert "ViTForImageClassification" in resolve(f"hf:{tmp_path}").origin


def test_a_build_that_meta_cannot_do_is_left_to_the_real_one() -> None:
    def reads_a_value() -> nn.Module:
        return nn.Linear(int(torch.ones(1).item()) + 1, 2)

    require_buildable(reads_a_value, "net")


def test_modules_are_counted_and_nothing_stays_behind() -> None:
    def endless() -> nn.Module:
        net = nn.Sequential()
        while True:
            net.append(nn.ReLU())

    with pytest.raises(ModelError, match="too large"):
        require_buildable(endless, "net")
    assert len(nn.Sequential(*(nn.ReLU() for _ in range(40_000)))) == 40_000
