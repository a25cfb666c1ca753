"""A model over several devices: servers on loopback compute what the whole model does, and one that dies is told."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.cli.main import main
from edgevit.errors import UsageError
from edgevit.graph.cost import macs
from edgevit.graph.cuts import value_names
from edgevit.split import Split, export_split
from edgevit.split.place import Wire, choose, places_of
from tests.rewrites.checking import program_for

pytest.importorskip("onnxruntime")


class Net(nn.Module):
    """A stem that two later parts read, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(4))
        self.head = nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = first = self.stem(image)
        for block in self.blocks:
            x = x + block(x).relu()
        return self.head((x * first).mean((2, 3))), first.amax((2, 3))


@pytest.fixture(scope="module", params=["int8", "float32"])
def split(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Split:
    return export_split(
        Net().eval(), (torch.randn(1, 3, 16, 16),), targets=["linux-x86"] * 3,
        output=tmp_path_factory.mktemp("split") / "out", link=request.param, formats=["onnx"] * 3,
    )  # fmt: skip


@pytest.fixture
def servers(split: Split) -> Iterator[list[Any]]:
    """A process for each part, as on a device of its own."""
    command = [sys.executable, str(split.directory / "run_split.py"), "serve"]
    processes = [
        subprocess.Popen([*command, str(part), "--port", "0"], stdout=subprocess.PIPE, text=True)
        for part in (1, 2, 3)
    ]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def runtime(split: Split) -> Any:
    spec = importlib.util.spec_from_file_location("run_split", split.directory / "run_split.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return f"127.0.0.1:{process.stdout.readline().split()[-1]}"


def test_three_devices_compute_what_the_model_does(
    split: Split, servers: list[Any], tmp_path: Path
) -> None:
    devices, image = [address(process) for process in servers], torch.randn(1, 3, 16, 16)
    there, here = (runtime(split).Row(split.directory, at)(image.numpy()) for at in (devices, None))
    for a, b, expected in zip(there, here, Net().eval()(image), strict=True):
        assert np.array_equal(a, b)
        error = torch.from_numpy(np.array(a)) - expected
        limit = 1e-5 if split.plan["link"] == "float32" else 0.02
        assert error.norm() < limit * expected.norm()
    np.save(tmp_path / "image.npy", image.numpy())
    command = [sys.executable, str(split.directory / "run_split.py"), "run"]
    done = subprocess.run(
        [*command, str(tmp_path / "image.npy"), "--devices", ",".join(devices)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"largest at {int(there[0].argmax())}" in done.stdout


def test_a_device_that_dies_is_an_error_in_time_or_its_part_runs_here(
    split: Split, servers: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    devices, image = [address(process) for process in servers], np.ones((1, 3, 16, 16), np.float32)
    module = runtime(split)
    strict = module.Row(split.directory, devices, timeout=1)
    lenient = module.Row(split.directory, devices, timeout=1, fallback=True)
    expected = strict(image)
    lenient(image)
    os.kill(servers[1].pid, signal.SIGSTOP)  # hangs, and closes nothing
    started = time.monotonic()
    with pytest.raises(module.DeviceLostError, match="device 2"):
        strict(image)
    outputs = lenient(image)
    assert time.monotonic() - started < 5
    assert all(np.array_equal(a, b) for a, b in zip(expected, outputs, strict=True))
    assert "device 2 is lost" in capsys.readouterr().err
    servers[1].kill()
    servers[2].kill()
    servers[2].wait()
    with pytest.raises(module.DeviceLostError, match=r"device [23]"):
        strict(image)


@pytest.mark.parametrize(
    "answer",
    [b"\xff\xff\xff\xff", b"\x04\x00\x00\x00null", b"\x02\x00\x00\x00[]", b"\x01\x00\x00\x00{", b""],
)  # fmt: skip
def test_nonsense_for_an_answer_is_no_number(split: Split, answer: bytes) -> None:
    def reply() -> None:
        connection, _ = server.accept()
        connection.recv(1 << 20)
        connection.sendall(answer)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=reply, daemon=True).start()
        devices = [f"127.0.0.1:{server.getsockname()[1]}", "here", "here"]
        module = runtime(split)
        with pytest.raises(module.DeviceLostError, match="device 1"):
            module.Row(split.directory, devices, timeout=2)(np.ones((1, 3, 16, 16), np.float32))


def test_cuts_make_the_slowest_device_as_fast_as_can_be() -> None:
    program = program_for(Net().eval(), torch.randn(1, 3, 16, 16))
    link = Wire(rate=1e12, delay=0)
    places, whole = places_of(program, link), sum(map(macs, program.calls()))
    for rates in ([1.0, 1.0], [1.0, 3.0], [2.0, 1.0, 1.0]):
        cuts = choose(program, rates, link)
        ends = [0, *(cut.before for cut in cuts), whole]
        slowest = max((b - a) / rate for a, b, rate in zip(ends, ends[1:], rates, strict=False))
        every = [[p] for p in places] if len(rates) == 2 else [[p, q] for p in places for q in places if p.index < q.index]  # fmt: skip
        for other in every:
            bounds = [0, *(cut.before for cut in other), whole]
            assert slowest <= max((b - a) / rate for a, b, rate in zip(bounds, bounds[1:], rates, strict=False)) + 1e-9  # fmt: skip


def test_an_input_called_like_a_call_is_not_taken_for_it() -> None:
    program = replace(program_for(Net().eval(), torch.randn(1, 3, 16, 16)), input_names=("conv2d",))
    names = value_names(program)
    assert len(set(names.values())) == len(names)
    assert names[program.placeholders()[0]] == "conv2d"


def test_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["split", "zoo:vit-i32-p8-d24-h2-l1", "-o", str(tmp_path / "o"), "--quiet"]
    assert main([*words, "--targets", "linux-x86"]) == 2
    assert "two devices or more" in capsys.readouterr().err
    assert main([*words, "--targets", "linux-x86,iphone"]) == 2
    assert "no part can run on" in capsys.readouterr().err
    assert main([*words, "--targets", "linux-x86,linux-x86", "--rates", "1,0"]) == 2
    assert "a number above zero" in capsys.readouterr().err
    assert main([*words, "--targets", "linux-x86,linux-x86", "--link", "int4"]) == 2
    assert "no link is called" in capsys.readouterr().err
    with pytest.raises(UsageError, match="cannot be cut for 3 devices"):
        export_split(nn.ReLU(), (torch.ones(1, 4),), targets=["linux-x86"] * 3, output=tmp_path)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--targets",
        "linux-x86,linux-x86",
        "--rates",
        "100,300",
        "--link-delay",
        "0",
        "--link-rate",
        "100000M",
        "--format",
        "onnx,onnx",
    ]
    assert main(["split", "zoo:vit-i16-p8-d16-h1-l1", *words, "-o", str(tmp_path / "o"), "--json", "--quiet"]) == 0  # fmt: skip
    plan = json.loads(capsys.readouterr().out)
    assert plan["parts"][0]["macs"] < plan["parts"][1]["macs"]
    assert plan["parity"]["to_simulation"] < 1e-5
