"""Device clouds: Qualcomm AI Hub's client replaced by a STAND-IN that has its names and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.errors import EdgevitError
from edgevit.measure import Settings, open_runner

STANDIN = Path(__file__).parent / "cloud_standin"
S24 = "aihub:Samsung Galaxy S24"


@pytest.fixture(autouse=True)
def standin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(STANDIN))
    monkeypatch.setenv("EDGEVIT_STORE", str(tmp_path / "store.sqlite"))


def profiled(capsys, folder: Path, *words: str, on: str = S24) -> tuple[int, str, str]:
    code = main(["profile", str(folder), "--on", on, *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_figure_with_layers_units_memory_and_compared_outputs(exported: Path, capsys) -> None:
    code, out, err = profiled(capsys, exported, "--json")
    assert code == 0, err
    report = json.loads(out)
    (result,) = report["results"]
    assert result["latency_ms"]["rounds"] == pytest.approx([1.2, 1.18, 1.19])
    assert result["kind"] == "measured"
    assert [(op["op"], op["unit"]) for op in result["ops"]] == [("Conv", "NPU"), ("Softmax", "CPU")]
    compared, units, memory, job = result["notes"]
    assert compared.startswith("computes the same on Samsung Galaxy S24")
    assert units == "layers by unit: NPU 1, CPU 1"
    assert memory == "peak memory 30.0 to 31.5 MB"
    assert job == "job: https://standin.invalid/jobs/j1"
    assert report["host"]["cpu"] == "Samsung Galaxy S24, qualcomm-snapdragon-8gen3"
    assert report["host"]["os"] == "android 14"
    code, out, _ = profiled(capsys, exported)
    assert "from the store" in out
    assert "runs, threads and warm-up are those of Qualcomm AI Hub" in out
    assert "1 cores" not in out


def test_the_states_of_the_job_are_progress(exported: Path) -> None:
    runner, states = open_runner(S24), []
    runner.measure([runner.subject(exported)], Settings(limit=30), states.append)
    assert [state.rpartition(": ")[2] for state in states[1:]] == ["upload", "provisioning device"]


@pytest.mark.parametrize(
    ("mode", "code", "words"),
    [
        ("token", 17, ("does not know you", "qai-hub configure", "client.ini not found.")),
        ("offline", 17, ("cannot be reached", "Could not connect to Qualcomm AI Hub.")),
        ("failed", 17, ("the job failed", "Op Wish is not supported", "standin.invalid/jobs/j1")),
        ("slow", 17, ("takes too long", "no result in 1 s", "--limit")),
        ("refused", 17, ("refuses the job", "does not support ONNX")),
        ("busy", 17, ("takes no more jobs", "Too many jobs")),
        ("malformed", 14, ("no answer that is known", "`execution_detail`: it is missing")),
        ("crash", 14, ("no answer that is known", "ConnectionError: the transfer broke off")),
        ("wrong", 9, ("computes something else on Samsung Galaxy S24",)),
    ],
)
def test_what_goes_wrong_is_our_error(
    exported: Path, capsys, monkeypatch: pytest.MonkeyPatch, mode: str, code: int, words: tuple
) -> None:
    monkeypatch.setenv("STANDIN", mode)
    got, _, err = profiled(capsys, exported, "--limit", "1", "--no-store")
    assert got == code, err
    assert all(word in err for word in words), err


@pytest.mark.parametrize(
    ("on", "words"),
    [
        ("aihub:Samsung Galaxy S42", ("has no `Samsung Galaxy S42`", "Samsung Galaxy S24")),
        ("aihub", ("which device?",)),
        ("aihub:Samsung Galaxy S24?pyton=x", ("option that is not known", "python")),
        ("aihub:Samsung Galaxy S24?python=/no/python", ("/no/python cannot be run",)),
        ("aihub:Samsung Galaxy S24?os=99", ("has no `Samsung Galaxy S24`", "with 99")),
    ],
)
def test_an_address_that_is_none(on: str, words: tuple) -> None:
    with pytest.raises(EdgevitError) as error:
        open_runner(on).device()
    assert all(word in str(error.value) for word in words), error.value
    assert all((error.value.where, error.value.why, error.value.hint))


def test_without_the_client_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(EdgevitError, match="client is not installed") as error:
        open_runner(S24).device()
    assert "pip install qai-hub" in error.value.hint
    assert error.value.exit_code == 10
