"""Lossy steps as choices: which are offered, what a plan makes of them, and the limit to what they cost."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.errors import BudgetError, UsageError
from edgevit.rewrites.lossy.table import lossy_choices
from edgevit.targets import load_target
from edgevit.tune.api import tune
from edgevit.tune.artifacts import _accuracy
from edgevit.tune.no_effect_options import no_effect_options
from edgevit.tune.request import Budget, TuneRequest
from edgevit.tune.space import space_for
from edgevit.tune.tune import _Search
from tests.rewrites.checking import program_for
from tests.rewrites.token_nets import Tokens, first


def request(**how: object) -> TuneRequest:
    return TuneRequest("net.py:build", "linux-x86", "local", Path("out"), Budget.of("1"), **how)


def test_steps_that_need_pictures_are_offered_with_pictures() -> None:
    target = load_target("linux-x86")
    for pictures, names in (
        (False, {"tokens", "gelu"}),
        (True, {"tokens", "gelu", "heads", "hidden"}),
    ):
        space = space_for(target, ["onnx"], 1, True, pictures)
        offered = {choice.name for choice in space.choices["onnx"]}
        assert offered & {"tokens", "gelu", "heads", "hidden"} == names
    assert not {"tokens", "gelu"} & set(space_for(target, ["onnx"], 1, False, True).default())


def test_zeros_are_offered_for_firmware_alone() -> None:
    board, host = load_target("qemu-m4"), load_target("linux-x86")
    assert "zeros" in space_for(board, ["mcu"], 1, True, True).default()
    assert "zeros" not in space_for(board, ["mcu"], 1, True, False).default()
    assert "zeros" not in space_for(host, ["onnx"], 1, True, True).default()


def test_a_plan_takes_the_steps_in_their_order() -> None:
    space = space_for(load_target("linux-x86"), ["onnx"], 1, True, True)
    changed = {"tokens": "fuse-tokens=0.5", "hidden": "prune-mlp=0.5", "heads": "prune-heads=0.25"}
    plan = request(max_top1_drop=1.0, evaluate="val").plan(
        {**space.default(), **changed}, space, "", 1
    )
    assert plan.lossy == ("prune-heads=0.25", "prune-mlp=0.5", "fuse-tokens=0.5")
    assert not plan.chosen


def test_steps_without_a_place_in_the_model_are_not_tried() -> None:
    target = load_target("linux-x86")

    def vain(net: nn.Module, x: torch.Tensor) -> set[str]:
        pairs = no_effect_options(
            program_for(net, x), target, ["onnx"], lossy=lossy_choices(True, False)
        )
        return {name for name, _ in pairs["onnx"]}

    every = {"tokens", "heads", "hidden", "gelu"}
    convolution = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    assert every <= vain(convolution, torch.randn(1, 1, 4, 4))
    net = Tokens(first, depth=2)
    assert not {"tokens", "hidden", "gelu"} & vain(net, torch.randn(1, 17, 12))


def test_what_loses_too_much_accuracy_is_refused() -> None:
    manifest = {"accuracy": {"file": {"top1": 96.0}, "float": {"top1": 97.5}}}
    accuracy = _accuracy(manifest)
    assert accuracy == {"top1": 96.0, "float": 97.5, "drop": 1.5} and _accuracy({}) is None
    asked = request(max_top1_drop=1.0, evaluate="val")
    search = _Search(asked, None, None, None, None, "", print, print)  # type: ignore[arg-type]
    with pytest.raises(BudgetError, match=r"1\.50 points of top-1, and --max-top1-drop is 1"):
        search._require_accurate(accuracy)
    with pytest.raises(UsageError, match="needs labelled data"):
        tune("net.py:build", target="linux-x86", max_top1_drop=1.0)
    assert asked.said_words()[-1] == f"--evaluate={Path('val').absolute()}"
