"""Weights where the user chose none: pretrained if they are at hand, else random ones, and it says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgevit.errors import WeightsError
from edgevit.frontend import timm_models
from edgevit.frontend.resolve import resolve

SPEC = "timm:test_vit"


def test_what_cannot_be_had_is_random_and_said() -> None:
    source = resolve(SPEC)
    assert source.weights == "random (seed 0)" and source.chosen_weights == "random"
    assert "weights are RANDOM" in source.notes[0] and "--weights FILE" in source.notes[0]


def test_random_weights_that_were_asked_for_are_the_same_without_a_word() -> None:
    silent, told = resolve(SPEC, weights="random"), resolve(SPEC)
    assert silent.notes == () and silent.chosen_weights is None
    pairs = zip(silent.module.parameters(), told.module.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_weights_at_hand_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm_models._create

    def trained(timm, name, pretrained, *rest):
        module = create(timm, name, False, *rest)
        if pretrained:
            torch.nn.init.constant_(module.head.bias, 3.0)
        return module

    monkeypatch.setattr(timm_models, "_create", trained)
    monkeypatch.setattr(timm_models, "may_have", lambda name: True)
    source = resolve(SPEC)
    assert source.weights == "pretrained" and source.is_trained and not source.notes
    assert bool((source.module.head.bias == 3.0).all())


def test_weights_that_were_asked_for_are_had_or_refused() -> None:
    with pytest.raises(WeightsError) as caught:
        resolve(SPEC, weights="pretrained")
    assert "--weights FILE" in caught.value.hint and "random" in caught.value.hint


def test_a_folder_without_weights_is_built_at_random(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=16, patch_size=8, architectures=["ViTForImageClassification"],
    ).save_pretrained(tmp_path)  # fmt: skip
    source = resolve(f"hf:{tmp_path}")
    assert source.chosen_weights == "random" and "no file in it has weights" in source.notes[0]
