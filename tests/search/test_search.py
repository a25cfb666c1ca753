"""A search draws nets, refuses what does not fit, builds and runs the rest, and can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.errors import BudgetError, EdgevitError, ModelError, TargetError, UsageError
from edgevit.frontend import build_source
from edgevit.search import NetLimits, front_text, search
from edgevit.search.nets import open_space
from edgevit.search.proxies import entropy, macs_of, saliency
from edgevit.search.search import kendall
from edgevit.search.train import Rungs
from tests import ROOT
from tests.quantize import bed

pytest.importorskip("optuna", reason="pip install 'edgevit[tune]'")

NETS = """
import os, signal
import torch
from torch import nn

LOG = {log!r}


def net(width):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, width, 4, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(16 * width, 10)
    )
    module.input_size = (1, 16, 16)
    module.preprocess = {{"mean": 0.5, "std": 0.5, "crop_pct": 1.0, "interpolation": "bilinear"}}
    return module


class Space:
    knobs = {{"width": (2, 3, 4, 64)}}

    def build(self, point):
        return net(point["width"])


SPACE = Space()


class Specs:
    knobs = {{"width": (4,)}}

    def spec(self, point):
        return "nets.py:four"


SPECS = Specs()


def four():
    return net(4)


def train(module, report):
    width = module[0].out_channels
    with open(LOG, "a") as log:
        log.write(f"{{width}}\\n")
    if os.path.exists(LOG + ".kill") and width == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    report(0.5, 10.0 + width)
    return 10.0 + width
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    (folder / "nets.py").write_text(NETS.format(log=str(folder / "log")))
    bed.write_folder(folder / "digits", "train", 120)
    return folder


def command(folder: Path) -> subprocess.CompletedProcess[str]:
    words = ["search", "nets.py:SPACE", "--target", "stm32f746", "--train", "nets.py:train"]
    words += ["--calibrate", "digits", "--max-ram", "1K", "--proxy", "none", "--budget", "9"]
    words += ["--json", "--quiet", "-o", "killed"]
    return subprocess.run(
        [sys.executable, "-m", "edgevit", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_a_killed_search_evaluates_nothing_twice(folder: Path) -> None:
    (folder / "log.kill").touch()
    assert "SIGKILL" in command(folder).stdout
    begun = (folder / "log").read_text().split()
    (folder / "log.kill").unlink()
    resumed = command(folder)
    assert resumed.returncode == 0, resumed.stderr
    trained = (folder / "log").read_text().split()
    assert begun[-1] == "3"
    assert trained[: len(begun)] == begun
    # the one that was cut off is taken up first; no other is trained again, nor what cannot fit
    assert sorted(trained[: len(begun) - 1] + trained[len(begun) :]) == ["2", "3", "4"]
    assert trained[len(begun)] == "3"
    front = json.loads(resumed.stdout)["front"]
    assert {net["score"] for net in front} == {12.0, 13.0, 14.0}
    assert all(net["instructions"] > 0 and net["ram"] <= 1024 for net in front)


def test_the_front_is_trained_on_the_data_and_ran(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(folder)
    searched = search(
        "nets.py:SPACE",
        target="stm32f746",
        data="digits",
        test="digits",
        beat="nets.py:four",
        limits=NetLimits(flash=30_000),
        budget="4",
        epochs=8,
        population=4,
        output="out",
    )
    assert searched.baseline is not None
    assert searched.baseline["score"] > 20
    for net in searched.front:
        assert net["ram"] <= searched.baseline["ram"]
        assert net["instructions"] <= searched.baseline["instructions"]
        manifest = json.loads((folder / net["folder"] / "export" / "edgevit.json").read_text())
        assert manifest["passed"]
        assert manifest["firmware"]["execution"]["golden_match"]
        assert "--weights" in net["command"]
    assert json.loads((folder / "out" / "front.json").read_text())["kind"] == "emulated"
    assert (folder / "out" / "pareto.svg").read_text().startswith("<svg")
    assert "to beat" in front_text(searched)
    assert searched.best is not None
    assert searched.best["score"] == max(net["score"] for net in searched.front)
    assert searched.beats == (searched.best["test"] > searched.baseline["test"])


def test_arrays_train_a_space_of_specs(folder: Path, monkeypatch: Any) -> None:
    """One net, of knobs with one option each: then everything has been tried."""
    monkeypatch.chdir(folder)
    images, labels = bed.pictures("train", 80)
    np.savez(folder / "digits.npz", images=images.numpy(), labels=labels.numpy())
    searched = search(
        "nets.py:SPECS",
        target="stm32f746",
        data="digits.npz",
        proxy="saliency",
        epochs=6,
        output="arrays",
    )
    (net,) = searched.front
    assert net["spec"] == "nets.py:four"
    assert net["score"] > 20
    assert "--no-image-input" in net["command"]
    assert "calibration.npy" in net["command"]


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        ({"target": "iphone-15"}, TargetError, "not searched"),
        ({"data": None}, UsageError, "nothing to train"),
        ({"data": None, "train": "nets.py:train"}, UsageError, "ranges"),
        ({"proxy": "luck"}, UsageError, "proxy"),
        ({"space": "vat"}, UsageError, "no space"),
        ({"space": "nets.py:four"}, ModelError, "knobs"),
        ({"space": "nets.py:none"}, ModelError, "none"),
        ({"input_size": 9}, UsageError, "patches"),
    ],
)
def test_a_request_that_cannot_be_searched_is_refused(
    folder: Path, monkeypatch: Any, words: dict[str, Any], kind: type[EdgevitError], says: str
) -> None:
    monkeypatch.chdir(folder)
    request: dict[str, Any] = {"space": "vit", "target": "stm32f746", "data": "digits", **words}
    with pytest.raises(kind, match=says) as refused:
        search(request.pop("space"), output="refused", **request)
    assert refused.value.why
    assert refused.value.hint


def test_each_point_of_the_built_in_space_is_a_net() -> None:
    space = open_space("vit", 16, 10)
    import random

    generator = random.Random(0)
    for _ in range(12):
        point = space.space().drawn(generator)
        source = build_source(space.spec_of(point, Path("unused")))
        assert source.inputs[0].shape == (1, 3, 16, 16)
        assert source.module(*source.inputs).shape == (1, 10)


def test_proxies_see_a_wider_net_as_more() -> None:
    def score(proxy: Any, spec: str) -> float:
        source = build_source(spec)
        return proxy(source.module, source.inputs)

    narrow, wide = "zoo:vit-i16-p4-d16-h2-l2", "zoo:vit-i16-p4-d64-h2-l2"
    for proxy in (entropy, saliency, macs_of):
        assert score(proxy, narrow) < score(proxy, wide)


def test_a_net_far_behind_a_cheaper_one_is_stopped() -> None:
    rungs = Rungs([{"0.25": 50.0, "0.5": 80.0}])
    rungs.report(0.3, 45.0)
    with pytest.raises(BudgetError, match="behind"):
        rungs.report(0.5, 60.0)
    assert rungs.curve == {"0.25": 45.0, "0.5": 60.0}


def test_limits_name_what_is_above_them() -> None:
    limits = NetLimits(ram=100, instructions=1000)
    figures = {"ram": 90, "flash": 10**9, "instructions": 1000}
    assert limits.over(figures) == ""
    assert "1,001 instructions" in limits.over({**figures, "instructions": 1001})
    assert limits.also({"ram": 80, "instructions": 2000}) == NetLimits(80, None, 1000)


def test_kendall_counts_pairs_in_order() -> None:
    assert kendall([(1, 1), (2, 2), (3, 3)]) == 1
    assert kendall([(1, 3), (2, 2), (3, 1)]) == -1
    assert kendall([(1, 1), (1, 2)]) is None
