"""Core ML's runners: refused where there is no Mac; their figures, from a FAKE benchmarker in coremltools' place."""

from __future__ import annotations

import asyncio
import types
from pathlib import Path

import pytest

from edgevit.backends.coreml import benchmark
from edgevit.cli.main import main
from edgevit.errors import BackendRuntimeError, UsageError
from edgevit.measure.runner import addresses, open_runner


@pytest.mark.parametrize("on", ["mac", "iphone", "iphone:Mine"])
def test_there_is_no_mac_here(on: str, exported: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert main(["profile", str(exported), "--on", on]) == 17
    said = capsys.readouterr().err
    assert f"`--on {on}` needs a Mac" in said
    assert "run the same command on a Mac" in said


def fake_modules(seconds: float) -> dict[str, types.SimpleNamespace]:
    class Benchmarker:
        def __init__(self, model: str, device: object) -> None:
            assert (model, device) == ("net.mlpackage", None)

        async def benchmark_predict(self, iterations: int) -> types.SimpleNamespace:
            await asyncio.sleep(seconds)
            return types.SimpleNamespace(samples=[2.5] * iterations)  # milliseconds

    models = types.SimpleNamespace(MLModel=lambda path: path)
    return {
        "coremltools": types.SimpleNamespace(models=models),
        f"{benchmark._EXPERIMENTAL}.perf_utils": types.SimpleNamespace(
            MLModelBenchmarker=Benchmarker
        ),
    }


def test_what_a_fake_benchmarker_says(monkeypatch) -> None:
    monkeypatch.setattr(benchmark.importlib, "import_module", fake_modules(0).__getitem__)
    opened = benchmark.OpenedPackage(Path("net.mlpackage"), None, 5)
    assert opened.seconds(3) == [0.0025] * 3
    opened.close()


def test_a_fake_benchmarker_that_hangs(monkeypatch) -> None:
    monkeypatch.setattr(benchmark.importlib, "import_module", fake_modules(60).__getitem__)
    opened = benchmark.OpenedPackage(Path("net.mlpackage"), None, 0.2)
    with pytest.raises(BackendRuntimeError, match=r"net.mlpackage hangs"):
        opened.seconds(3)
    opened.close()


def test_addresses_that_are_none() -> None:
    for address in ("here", "locl", "local:1", "emulator:m4", "mac:x", "tvm://host", "tvm://h:x/k"):
        with pytest.raises(UsageError):
            open_runner(address)
    with pytest.raises(UsageError, match="no runner is called") as caught:
        open_runner("sssh://x")
    assert "did you mean `ssh`" in caught.value.hint
    assert {"serial:/dev/tty...", "iphone", "local"} <= set(addresses())
    assert all(address.partition(":")[0] in caught.value.why for address in addresses())
