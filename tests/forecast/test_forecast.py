"""The forecast keeps what it promises on families that it has not seen, is the fit of the data that is shipped, and refuses
what lies beyond it."""

from __future__ import annotations

import json
import math

import pytest
import torch

from edgevit.cli.main import main
from edgevit.errors import ForecastError
from edgevit.forecast.features import CLASSES, Features, Work, features_of
from edgevit.forecast.fit import Fitted, Sample, fit, held_out
from edgevit.forecast.published import features, folder, kinds, samples
from edgevit.forecast.table import forecast
from edgevit.frontend.capture import capture
from edgevit.frontend.rebuild import build_source
from edgevit.targets import load_target
from tests import ROOT


@pytest.mark.parametrize("kind", kinds())
def test_families_that_the_fit_has_not_seen(kind: str) -> None:
    """Each in turn is left out as a whole, fitted without, predicted."""
    known = samples(kind)
    held = held_out(known)
    assert held.median <= 0.15
    assert held.rank >= 0.9
    assert held.covered >= 0.8
    assert len({sample.family for sample in known}) >= 6


def test_held_out_means_not_seen() -> None:
    """Scaling the figures of a family scales the others' predictions, and never its own."""
    known = samples("apple-neural-engine")
    changed = [
        Sample(**{**vars(s), "latency_ms": s.latency_ms * (3 if s.family == "fastvit" else 1)})
        for s in known
    ]
    before, after = held_out(known), held_out(changed)
    for sample, a, b in zip(known, before.errors, after.errors, strict=True):
        if sample.family == "fastvit":
            assert b == pytest.approx(a - math.log(3), abs=1e-9)
    assert before.errors != after.errors


@pytest.mark.parametrize("kind", kinds())
def test_the_table_is_the_fit_of_what_is_shipped(kind: str) -> None:
    table = json.loads((folder() / "fitted.json").read_text())[kind]
    fitted, held = fit(samples(kind)), held_out(samples(kind))
    assert table["costs"] == pytest.approx(fitted.costs, rel=1e-3)
    assert table["settings"] == pytest.approx(fitted.settings, abs=1e-3)
    assert table["bar"] == pytest.approx(held.bar, rel=1e-3)
    assert table["held_out"]["median_error"] == pytest.approx(held.median, abs=1e-3)


def test_a_fit_finds_what_made_the_figures() -> None:
    truth = Fitted((0.3, 2.0, 0.0), {"slow": math.log(2), "fast": 0.0}, {})
    made = []
    for k in range(40):
        vector = (1.0, 0.1 + (k * 7 % 13) / 5, (k * 5 % 11) / 11)
        for setting in ("slow", "fast"):
            ms = math.exp(truth.log_ms(vector, setting))
            made.append(Sample(f"net{k}", f"family{k % 8}", setting, "one", ms, vector))
    found = fit(made)
    for sample in made:
        assert math.exp(found.log_ms(sample.features, sample.setting, "one")) == pytest.approx(
            sample.latency_ms, rel=0.03
        )
    assert found.settings["slow"] - found.settings["fast"] == pytest.approx(math.log(2), abs=0.02)


def test_features_of_a_graph() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = torch.nn.Conv2d(3, 8, 3, padding=1)
            self.depthwise = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.pointwise = torch.nn.Conv2d(8, 4, 1)

        def forward(self, x):
            y = self.pointwise(self.depthwise(self.dense(x)).relu()).flatten(2)
            return (y.transpose(1, 2) @ y).softmax(-1)

    from edgevit.frontend.source import ModelSource

    source = ModelSource(
        "n", "n", Net().eval(), (torch.zeros(1, 3, 16, 16),), ("x",), "test", "random"
    )
    found = features_of(capture(source))
    work = found.work
    assert (found.params, found.resolution) == (3 * 8 * 9 + 8 + 8 * 9 + 8 + 8 * 4 + 4, 16)
    assert work["dense"].macs == 256 * 3 * 8 * 9
    assert work["depthwise"].macs == 256 * 8 * 9
    assert work["pointwise"].macs == 256 * 8 * 4
    assert work["product"].macs == 256 * 256 * 4
    assert [work[name].calls for name in ("dense", "depthwise", "pointwise", "product", "softmax", "elementwise")] == [1] * 6  # fmt: skip
    assert work["elementwise"].elements == 2 * 8 * 256  # the relu: what it reads and writes


def test_a_shipped_net_counts_as_it_did() -> None:
    from edgevit.rewrites import engine
    from edgevit.rewrites.standard import STANDARD

    program, _ = engine.run(capture(build_source("timm:mobilenetv3_small_050")), STANDARD)
    assert features_of(program).vector() == features()["mobilenetv3_small_050@224"].vector()


def around(net: str = "mobileone_s1@224", **changes: object) -> Features:
    known = features()[net]
    return Features(**{**vars(known), **changes})  # type: ignore[arg-type]


def test_a_forecast_is_a_range_of_what_was_published() -> None:
    (found,) = forecast(around(), load_target("iphone"))
    assert found.low < found.median < found.high
    assert found.low < 0.89 < found.high  # MobileOne-S1 on an iPhone 12 Pro, by its authors
    assert found.as_dict()["kind"] == "predicted"
    threads = forecast(features()["resnet18@224"], load_target("raspberry-pi-4"))
    assert {f.setting for f in threads} == {"ncnn, 1 thread", "ncnn, 4 threads"}


def test_outside_the_range_there_is_no_forecast() -> None:
    iphone = load_target("iphone")
    many = {**around().work, "dense": Work(10, 10**12, 10**6)}
    for wrong, text in (
        (around(params=10**10), "parameters"),
        (around(resolution=1024), "pixels a side"),
        (around(work=many), "multiply-accumulates"),
        (around(work={name: Work() for name in CLASSES}), "multiply-accumulates"),
    ):
        with pytest.raises(ForecastError) as error:
            forecast(wrong, iphone)
        assert text in error.value.why
    with pytest.raises(ForecastError, match="no forecast for Google Pixel 8"):
        forecast(around(), load_target("pixel-8"))


def test_attention_on_a_cpu_of_which_only_convolutions_were_published() -> None:
    with pytest.raises(ForecastError) as error:
        forecast(features()["levit_128s@224"], load_target("raspberry-pi-5"))
    assert "of two activations; fitted on at most 0" in error.value.why


def test_from_the_command_line(capsys) -> None:
    words = ["forecast", "timm:mobilenetv3_small_050", "--quiet", "--json"]
    assert main([*words, "--target", "raspberry-pi-5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "predicted"
    assert all(f["low"] < f["median"] < f["high"] for f in found["forecasts"])
    tiny = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"
    assert main(["forecast", tiny, "--target", "iphone", "--quiet"]) == 20
    said = capsys.readouterr().err
    assert "outside the range" in said and "64 pixels a side" in said
