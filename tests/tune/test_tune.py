"""`edgevit tune` from end to end, on this machine and on an emulated core."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.export.plan_file import read_plan
from edgevit.tune.request import Budget

pytest.importorskip("optuna", reason="pip install 'edgevit[tune]'")
pytest.importorskip("onnxruntime", reason="pip install 'edgevit[onnx]'")


def tuned(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    assert main(["tune", *words, "--quiet", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def trials(output: Path) -> list[dict]:
    return json.loads((output / "trials.json").read_text())


def test_a_tuning_goes_on_where_it_was_and_its_plan_makes_the_same_bytes(
    tmp_path: Path, net: str, exports: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "tuned"
    words = [net, "--target", "linux-x86", "--format", "onnx", "--rounds", "3", "-o", str(output)]
    first = tuned([*words, "--budget", "1"], capsys)
    assert first["trials"] == 1 and first["choices"] == {"format": "onnx"}
    again = tuned([*words, "--budget", "3"], capsys)
    assert again["trials"] == 3
    done = trials(output)
    assert done[0]["point"]["attention"] == "written"
    assert len({trial["key"] for trial in done}) == 3
    assert len(set(exports)) == len(exports) == 3  # nothing was exported twice
    assert all("depthwise" not in trial["point"] for trial in done)  # it changes nothing here
    measured = [trial["figures"] for trial in done]
    assert all(figures["kind"] == "measured" for figures in measured)
    assert all(figures["ratio"] > 0 and figures["rounds"] == 3 for figures in measured[1:])

    plan = read_plan(output / "plan.toml")
    assert plan.verdict and plan.graph and plan.figures["kind"] == "measured"
    export = ["export", net, "--target", "linux-x86", "--plan", str(output / "plan.toml")]
    assert main([*export, "-o", str(tmp_path / "made"), "--quiet"]) == 0
    assert "plan       the same bytes as the artifact that was measured" in capsys.readouterr().out
    other = [export[0], net.replace(":build", ":other"), *export[2:]]
    assert main([*other, "-o", str(tmp_path / "x"), "--quiet"]) == 2
    assert "the plan was made for another model" in capsys.readouterr().err


def test_firmware_is_tuned_to_a_front_of_verified_points(
    tmp_path: Path, exports: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("unicorn", reason="pip install 'edgevit[mcu]'")
    output = tmp_path / "tuned"
    words = ["zoo:vit-i32-p4-d24-h2-l1", "--target", "qemu-m4", "--on", "emulator"]
    found = tuned([*words, "--max-ram", "20K", "--budget", "3", "-o", str(output)], capsys)
    front = found["pareto_front"]
    assert len(front) >= 2 and found["trials"] == 3
    assert all(p["kind"] == "emulated" and p["golden_match"] for p in front)
    ram, work = ([p[name] for p in front] for name in ("ram_bytes", "instructions"))
    assert ram == sorted(ram) and work == sorted(work, reverse=True) and max(ram) <= 20 * 1024
    plans = [read_plan(file) for file in (output / "plans").glob("*.toml")]
    assert {plan.figures["ram_bytes"] for plan in plans} == set(ram)
    assert read_plan(output / "plan.toml").figures["instructions"] == min(work)
    ET.parse(output / "pareto.svg")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--budget", "soon"], "`soon` is no budget"),
        (["--on", "emulator"], "nothing for linux-x86 can be measured there"),
        (["--lossy", "gelu-tanh"], "--lossy is for the search to choose"),
        (["--on", "nowhere"], "no runner is called `nowhere`"),
    ],
)
def test_what_cannot_be_asked_is_said_at_once(
    words: list[str], said: str, net: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["tune", net, "--target", "linux-x86", "-o", str(tmp_path / "t")]
    assert main([*asked, *words]) != 0
    assert said in capsys.readouterr().err


def test_budgets() -> None:
    assert Budget.of("10m") == Budget(seconds=600)
    assert Budget.of("1.5h") == Budget(seconds=5400)
    assert Budget.of("30") == Budget.of("30-trials") == Budget(trials=30)
