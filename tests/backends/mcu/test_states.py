"""States that stay in the arena between calls: handed over bit for bit, reset to zero, and never taken for granted."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from edgevit.backends.mcu.board.weights import C_ARRAY
from edgevit.backends.mcu.board.write import write_board
from edgevit.backends.mcu.codegen.emit import emit
from edgevit.backends.mcu.codegen.firmware import write_firmware
from edgevit.backends.mcu.cores import CORES, core_of
from edgevit.backends.mcu.packages.firmware import Firmware
from edgevit.backends.mcu.rules import RULES
from edgevit.backends.mcu.run.execute import execute
from edgevit.backends.mcu.schedule.search import best_plan
from edgevit.backends.mcu.schedule.verifier import OverwrittenError, verify_plan
from edgevit.backends.mcu.states import in_sequence, with_states
from edgevit.errors import UsageError
from edgevit.frontend import ModelSource, build_source, capture
from edgevit.graph.program import Program
from edgevit.integer import Quantized, calls_of, load_graph, quantize, save_graph
from edgevit.integer.rewrites.rewritten import rewritten as rewritten_integers
from edgevit.quantize import CalibrationOptions, ImageInput, load_calibration
from edgevit.quantize.calibration import generated
from edgevit.rewrites import engine
from edgevit.support.resources import data_dir
from edgevit.targets import load_target
from tests.backends.mcu.host import FLAGS, library
from tests.backends.mcu.test_bundle import said
from tests.quantize.imported import rewritten

STATES = ("x1=output_1", "2=2", "x3=3")
CALLS = 12


class Listening(nn.Module):
    """A causal convolution with a cache, a gate that remembers, and the caches of a delay."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(4, 6, 3)
        self.gate = nn.Linear(12, 6)
        self.new = nn.Linear(12, 6)
        self.head = nn.Linear(10, 5)

    def forward(
        self, frames: torch.Tensor, cache: torch.Tensor, hidden: torch.Tensor, before: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        x = torch.cat([cache, frames], 2)
        heard = torch.relu(self.conv(x)).mean(2)
        both = torch.cat([heard, hidden], 1)
        keep = torch.sigmoid(self.gate(both))
        after = keep * hidden + (1 - keep) * torch.tanh(self.new(both))
        newest = frames[:, :, 3:]
        answer = self.head(torch.cat([after, before[:, :, 0]], 1))
        return answer, x[:, :, 4:], after, newest


@cache
def program() -> Program:
    example = (torch.zeros(1, 4, 4), torch.zeros(1, 4, 2), torch.zeros(1, 6), torch.zeros(1, 4, 1))
    return with_states(rewritten(Listening(), *example), STATES)


@cache
def quantized() -> Quantized:
    """As an export quantises it: on the states of a sequence."""
    calibration = generated(program())
    calibration = replace(calibration, inputs=in_sequence(program(), calibration.inputs))
    return quantize(program(), calibration)


def calls(count: int = CALLS) -> list[tuple[np.ndarray, ...]]:
    runs = generated(program(), count=count, seed=5).inputs
    return [quantized().graph.passed(quantized().quantized(run)) for run in runs]


def test_states_are_handed_over_as_they_are() -> None:
    """Both ends of each lie on one grid, and the integers stay near the model run in sequence."""
    graph = quantized().graph
    for state, after in graph.states:
        assert graph.inputs[state].dtype == "int8"
        assert graph.inputs[state].scale == graph.outputs[after].scale
        assert graph.inputs[state].zero == graph.outputs[after].zero
    frames = [run[:1] for run in generated(program(), count=CALLS, seed=5).inputs]
    states = [torch.zeros_like(x) for x in program().inputs[1:]]
    expected, found = [], quantized().run_all([(*x, *states) for x in frames])
    for x in frames:
        answer, *states = Listening()(*x, *states)
        expected.append(answer)
    a, b = torch.cat(expected), torch.cat([outputs[0] for outputs in found])
    assert torch.cosine_similarity(a, b).min() > 0.99
    assert (a[0] - a[-1]).norm() > 10 * (a - b).norm(dim=1).max()  # it does remember


@pytest.mark.parametrize("optimize", ["ram", "speed"])
def test_a_core_computes_the_sequence(optimize: str, tmp_path: Path) -> None:
    graph = rewritten_integers(quantized().graph)
    plan = best_plan(graph, CORES["m4"], optimize)
    verify_plan(plan)
    emitted = write_firmware(plan, tmp_path / "net", CORES["m4"])
    run = execute(tmp_path / "net", graph, emitted, quantized().quantized(program().inputs), CORES["m4"])  # fmt: skip
    assert run.golden_match and len(run.outputs) == 1
    states = sum(state.bytes for state in graph.state_inputs)
    assert f"#define EV_MODEL_STATE_BYTES {states}u" in emitted.header
    assert "EV_MODEL_INPUT_1" not in emitted.header and "EV_MODEL_OUTPUT_1" not in emitted.header


_SEQUENCES = """
#include <stdio.h>
#include <string.h>
#include "net.h"
static uint8_t arena[NET_ARENA_BYTES] __attribute__((aligned(16)));
static uint8_t frames[NET_INPUT_0_BYTES], answer[NET_OUTPUT_0_BYTES];
int main(void)
{
    const void *const inputs[] = {frames};
    void *const outputs[] = {answer};
    memset(arena, 0xA5, sizeof arena);
    if (net_run(inputs, outputs, arena) != EV_ERROR_ORDER)
        return 1;
    if (net_reset_state(NULL) != EV_ERROR_ARENA || net_reset_state(arena + 4) != EV_ERROR_ARENA)
        return 2;
    for (int sequence = 0; sequence < 2; sequence++) {
        if (net_reset_state(arena) != EV_OK)
            return 3;
        for (int call = 0; call < COUNT; call++) {
            if (fread(frames, 1, sizeof frames, stdin) != sizeof frames || net_run(inputs, outputs, arena) != EV_OK)
                return 4;
            fwrite(answer, 1, sizeof answer, stdout);
        }
    }
    return 0;
}
"""


def test_a_reset_begins_again(folder: Path, tmp_path: Path) -> None:
    """On the host, with the sanitizers on; an arena without states is refused."""
    graph = rewritten_integers(quantized().graph)
    emitted = emit(best_plan(graph, CORES["m3"]), "net")
    (tmp_path / "net.c").write_text(emitted.source)
    (tmp_path / "net.h").write_text(emitted.header)
    (tmp_path / "main.c").write_text(_SEQUENCES)
    words = ["gcc", *FLAGS, f"-DCOUNT={CALLS}", "-DNET_DEBUG", f"-I{data_dir('kernels') / 'include'}"]  # fmt: skip
    subprocess.run([*words, "net.c", "main.c", str(library(folder)), "-o", "main"], cwd=tmp_path, check=True)  # fmt: skip
    sequence = calls()
    frames = b"".join(inputs[0].tobytes() for inputs in sequence)
    ran = subprocess.run([tmp_path / "main"], input=2 * frames, capture_output=True, check=True)
    expected = b"".join(outputs[0].tobytes() for outputs in calls_of(graph, sequence))
    assert ran.stdout == 2 * expected


def stateful_bundle(folder: Path, board: str) -> None:
    """A bundle of the net above, without an export."""
    target = load_target(board)
    graph, core = rewritten_integers(quantized().graph), core_of(target)
    emitted = write_firmware(best_plan(graph, core), folder / "firmware", core)
    golden = [graph.passed(quantized().quantized(program().inputs))] * 2
    write_board(folder / "firmware", emitted, golden, target, core, C_ARRAY)


def test_the_selftest_runs_a_sequence(tmp_path: Path) -> None:
    graph = rewritten_integers(quantized().graph)
    stateful_bundle(tmp_path, "qemu-m4")
    assert "EV_GOLDEN_CALLS = 2" in (tmp_path / "firmware" / "selftest" / "ev_golden.h").read_text()
    assert said(tmp_path / "firmware", "make", "-s", "DEBUG=1", "run").endswith("golden ok\nend\n")
    network = Firmware.of(tmp_path / "firmware", "qemu-m4")
    assert network.number("STATE_BYTES") == sum(state.bytes for state in graph.state_inputs)


def test_the_plan_checks_that_states_stay() -> None:
    plan = best_plan(rewritten_integers(quantized().graph), CORES["m4"])
    state = plan.net.graph.state_inputs[0].name
    other = next(buffer for buffer in plan.buffers if buffer.name in plan.net.makers)
    moved = [replace(b, offset=other.offset) if b.name == state else b for b in plan.buffers]
    with pytest.raises(OverwrittenError, match=f"of {state} "):
        verify_plan(replace(plan, buffers=tuple(moved)))


def test_the_file_has_the_states(tmp_path: Path) -> None:
    graph = quantized().graph
    save_graph(graph, tmp_path / "graph.safetensors")
    assert (
        load_graph(tmp_path / "graph.safetensors")[0].states
        == graph.states
        == ((1, 1), (2, 2), (3, 3))
    )


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (("x1",), "no pair"),
        (("y=output_1",), "no input `y`: the inputs are x0 (0), x1 (1)"),
        (("x1=9",), "no output `9`"),
        (("x1=output_0",), "input `x1` is 1x4x2 float32, output `output_0` is 1x5 float32"),
        (("x1=1", "x1=1"), "input 1 is there twice"),
        (("x0=1",), "1x4x4"),
    ],
)
def test_pairs_that_are_none_are_refused(pairs: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_states(program(), pairs)
    assert told in str(caught.value) or told in caught.value.why


class Streaming(nn.Module):
    """State as authors write it: assigned, written in place, in a submodule, and in a plain attribute."""

    window: torch.Tensor
    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.causal = nn.Conv1d(4, 6, 3)
        self.causal.register_buffer("cache", torch.zeros(1, 4, 2))
        self.register_buffer("window", torch.full((6, 3), 0.25))
        self.mean = torch.linspace(-1, 1, 6)[None]
        self.head = nn.Linear(12, 5)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        both = torch.cat([self.causal.cache, frames], 2)  # type: ignore[list-item]
        self.causal.cache = both[:, :, -2:]
        heard = torch.relu(self.causal(both)).mean(2)
        self.window[:, :-1] = self.window[:, 1:].clone()
        self.window[:, -1].copy_(heard[0])
        self.mean = self.mean + 0.03 * (heard - self.mean)
        return self.head(torch.cat([self.window.mean(1)[None], self.mean], 1))


@cache
def streaming() -> tuple[ModelSource, Program]:
    source = build_source(Streaming(), (torch.randn(1, 4, 4),), kept_buffers=("all",))
    return source, with_states(engine.run(capture(source), RULES)[0], (), source.kept)


def test_buffers_that_a_forward_changes_are_states() -> None:
    """Their names, their first values, and the model called again and again."""
    source, program = streaming()
    assert set(source.input_names[1:]) == {"causal_cache", "mean", "window"}
    assert program.output_names == (
        "output_0",
        *(f"{name}_next" for name in source.input_names[1:]),
    )
    frames = [(torch.randn(1, 4, 4), *program.inputs[1:]) for _ in range(CALLS)]
    model, sequence = Streaming(), in_sequence(program, frames)
    with torch.no_grad():
        for inputs in sequence:
            torch.testing.assert_close(program.run(inputs)[0], model(inputs[0]))


def test_states_that_are_added_to_have_16_bits_and_begin_as_the_model_does(tmp_path: Path) -> None:
    source, program = streaming()
    calibration = generated(program)
    calibration = replace(calibration, inputs=in_sequence(program, calibration.inputs))
    quantized = quantize(program, calibration)
    graph = rewritten_integers(quantized.graph)
    first = {
        state.name: (state, x) for state, x in zip(graph.state_inputs, graph.initial, strict=True)
    }
    place = 1 + source.input_names[1:].index("mean")
    state, begin = first[graph.inputs[place].name]
    assert state.dtype == "int16" and [s.dtype for s, _ in first.values()].count("int16") == 1
    np.testing.assert_allclose(begin * state.scale, np.linspace(-1, 1, 6), atol=state.scale)
    emitted = write_firmware(best_plan(graph, CORES["m4"]), tmp_path / "net", CORES["m4"])
    ran = execute(
        tmp_path / "net", graph, emitted, quantized.quantized(program.inputs), CORES["m4"]
    )
    assert ran.golden_match
    save_graph(graph, tmp_path / "graph.safetensors")
    loaded = load_graph(tmp_path / "graph.safetensors")[0]
    for one, other in zip(loaded.initial, graph.initial, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_slow_average_does_not_stand_still() -> None:
    """Calls of which each adds less than a step of 8 bits, until the average has arrived."""
    _, program = streaming()
    calibration = generated(program)
    calibration = replace(calibration, inputs=in_sequence(program, calibration.inputs))
    quantized = quantize(program, calibration)
    same = [(program.inputs[0], *program.inputs[1:])] * 300
    expected = program.run(in_sequence(program, same)[-1])[0]
    found = quantized.run_all(same)[-1][0]
    assert torch.cosine_similarity(expected, found).item() > 0.99


class Growing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(1, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache = torch.cat([self.cache, x], 1)
        return self.cache.mean(1, keepdim=True)


@pytest.mark.parametrize(
    ("model", "names", "told"),
    [
        (Streaming, ("caches",), "no buffer `caches`"),
        (lambda: nn.Linear(4, 4), ("all",), "no buffer of the model changes"),
        (Growing, ("all",), "1x4 float32 before a call and 1x8 float32 after it"),
    ],
)
def test_buffers_that_cannot_be_states_are_refused(
    model: Callable[[], nn.Module], names: tuple[str, ...], told: str
) -> None:
    shape = (1, 4, 4) if model is Streaming else (1, 4)
    with pytest.raises(UsageError) as caught:
        build_source(model(), (torch.randn(*shape),), kept_buffers=names)
    assert told in f"{caught.value} {caught.value.why}"


def test_first_values_are_stated(tmp_path: Path) -> None:
    np.save(tmp_path / "first.npy", np.arange(8, dtype=np.float32).reshape(1, 4, 2))
    first = with_states(rewritten(Listening(), *program().inputs), (f"x1=1@{tmp_path}/first.npy", "2=2@0.5")).initial  # fmt: skip
    assert first[0].flatten().tolist() == list(range(8)) and first[1].unique().tolist() == [0.5]
    with pytest.raises(UsageError, match="is no state"):
        with_states(program(), ("x1=1@nowhere.npy",))


class Video(nn.Module):
    """Features of the picture before, beside those of this one; pixels, as firmware takes them."""

    before: torch.Tensor
    preprocess: ClassVar = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "input_size": (3, 16, 16)}

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(8, 4)
        self.register_buffer("before", torch.full((1, 2, 8, 8), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        both = torch.cat([self.before, x[:, 2:]], 1)
        self.before = x[:, :2]
        return self.head(both.mean((2, 3)))


@pytest.mark.parametrize("how", ["pictures", "generated"])
def test_pictures_calibrate_a_model_whose_buffers_are_states(how: str, tmp_path: Path) -> None:
    source = build_source(Video(), image_input=True, kept_buffers=("before",))
    program = capture(source)
    for k in range(8):
        data = np.random.default_rng(k).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(data).save(tmp_path / f"{k}.png")
    options = CalibrationOptions(calibrate=str(tmp_path) if how == "pictures" else "generated")
    found = load_calibration(program, options, ImageInput(source.preprocess, True, False, 1))
    for pixels, before in found.inputs:
        assert pixels.min() >= 0 and pixels.max() > 100 and torch.equal(pixels, pixels.round())
        assert before.shape == (1, 2, 8, 8)
        assert how == "generated" or torch.equal(before, program.inputs[1])
