"""Plans: written, read, and refused where they were made for something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.main import main
from edgevit.errors import PackageError, UsageError
from edgevit.export.from_plan import export_planned, made_of, same_bytes
from edgevit.export.plan_file import ExportPlan, Made, plan_text, read_plan
from edgevit.tune.request import Budget, TuneRequest
from edgevit.tune.space import FORMAT, Space

PLAN = ExportPlan(
    "net.py:build",
    "linux-x86",
    "onnx",
    "fp32",
    chosen={"attention": "stacks"},
    verdict='so "good"\n',
    why={},
    options={"batch": 1, "input_size": [3, 4], "labels": ["a", "b\u007f"]},
    calibration={"observer": "min-max"},
    figures={"kind": "measured", "ratio": 0.5, "right": True, "next": {"ms": 1e-9}},
    artifact=Made("x.onnx", 3, "ab"),
    versions={"torch": "2", "a b.c": "1"},
    device={"cpu": "x"},
    convert_threads=1,
)


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(plan_text(PLAN))
    assert read_plan(tmp_path / "plan.toml") == replace(PLAN, lossy=())


FIRMWARE = replace(PLAN, format="mcu", precision="int8", backend={"max_ram": 10}, lossy=())


def test_options_of_the_backend_come_back(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(plan_text(FIRMWARE))
    assert read_plan(tmp_path / "plan.toml") == FIRMWARE


def test_calibration_may_stand_among_the_backends_options(tmp_path: Path) -> None:
    """Where earlier versions wrote it."""
    text = plan_text(replace(FIRMWARE, backend={**FIRMWARE.backend, **FIRMWARE.calibration}))
    text = text.replace('[made_with.calibration]\nobserver = "min-max"\n', "")
    assert "made_with.calibration" not in text
    (tmp_path / "plan.toml").write_text(text)
    assert read_plan(tmp_path / "plan.toml") == FIRMWARE


def test_options_of_another_backend_are_refused(tmp_path: Path) -> None:
    text = plan_text(FIRMWARE).replace('format = "mcu"', 'format = "onnx"')
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(PackageError) as caught:
        read_plan(tmp_path / "plan.toml")
    assert "made_with.firmware" in caught.value.where
    assert "options that onnx does not take" in caught.value.why


def test_reasons_stand_behind_choices() -> None:
    text = plan_text(replace(PLAN, why={"attention": "fewer copies"}))
    assert 'attention = "stacks"  # fewer copies' in text


@pytest.mark.parametrize("text", ["schema = 2", "schema = 1", "so = ", "\xff"])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(PackageError, match="cannot be read"):
        read_plan(tmp_path / "plan.toml")


def test_another_target_model_or_size_is_refused(tmp_path: Path, net: str) -> None:
    plan = replace(PLAN, options={}, calibration={})
    with pytest.raises(UsageError, match="made for another target") as caught:
        export_planned(plan, net, target="raspberry-pi-4")
    assert "tuned for linux-x86" in caught.value.why
    with pytest.raises(UsageError, match="made with another input size"):
        export_planned(plan, net, target="linux-x86", input_size=96)
    with pytest.raises(UsageError, match="made for another model"):
        export_planned(replace(plan, graph="ab"), net, target="linux-x86", output=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_choice_of_the_plan_is_what_is_exported(tmp_path: Path, net: str) -> None:
    plan = replace(PLAN, options={}, calibration={}, artifact=None)
    found = export_planned(plan, net, target="linux-x86", output=tmp_path / "x")
    assert found.passed and found.manifest["chosen"] == {"attention": "stacks"}
    assert any(rule.rule == "expand-attention" and rule.fired for rule in found.rewrites.rules)
    measured = replace(plan, artifact=made_of(found.manifest))
    assert same_bytes(measured, found).startswith("the same bytes")
    other = replace(measured, artifact=Made("x", 1, "00"), versions={"torch": "1.0"})
    assert "NOT the bytes that were measured: torch 1.0 then" in same_bytes(other, found)


def test_words_that_the_plan_has_said_are_refused(
    tmp_path: Path, net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.toml").write_text(plan_text(PLAN))
    words = ["export", net, "--target", "linux-x86", "--plan", str(tmp_path / "plan.toml")]
    assert main([*words, "--format", "tflite"]) == 2
    assert "--format and --plan both say" in capsys.readouterr().err
    assert main([*words[:4], "--format", "onnx", "--choose", "attention=stack"]) == 2
    assert "did you mean `stacks`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trust": True, "weights": "net.pth"}, ("--trust", "--weights=net.pth")),
        ({"weights": "net.safetensors", "batch": 2}, ()),
        ({"weights": "pretrained"}, ()),
        ({"weights": "-x.safetensors"}, ("--weights=-x.safetensors",)),
    ],
)
def test_trust_and_what_may_want_it_is_in_no_plan(
    tmp_path: Path, options: dict[str, Any], said: tuple[str, ...]
) -> None:
    asked = TuneRequest(
        "net.py:build", "linux-x86", "local", tmp_path, Budget(trials=1), options=options
    )
    assert asked.said_words() == said
    choices = {"onnx": ()}
    plan = asked.plan({FORMAT: "onnx"}, Space(("onnx",), choices, {"onnx": "fp32"}), "", 1)
    (tmp_path / "plan.toml").write_text(plan_text(plan))
    kept = read_plan(tmp_path / "plan.toml").options
    assert "trust" not in kept and ("weights" in kept) == (not said)
