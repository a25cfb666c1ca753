"""Whole nets: what they may cost, and that every core and every compiler computes what the integer model does."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from edgevit.backends.mcu.bundle import GRAPH
from edgevit.backends.mcu.options import FirmwareOptions
from edgevit.export.api import export
from edgevit.integer import load_graph
from edgevit.measure.firmware import run_firmware
from tests.backends.mcu.on_cores import BUILDS, USUAL_BUILDS

VIT = "zoo:vit-i64-p8-d96-h3-l6"
NETS = (VIT, "zoo:hybrid-i64-d32", "timm:mobilenetv4_conv_small_035")
SIZES = {"timm:mobilenetv4_conv_small_035": 96, "timm:shvit_s1": 128}
# MLPerf Tiny: million instructions on a Cortex-M4, bytes of arena
TINY = {
    "zoo:kws": (3.37, 10_768),
    "zoo:ad": (0.27, 3_360),
    "zoo:resnet8": (11.75, 24_576),
    "zoo:vww": (9.69, 22_352),
}

# the same on other cores, million instructions: at most 0.85 of CMSIS-NN's on M0+, 0.55 on M55
TINY_ELSEWHERE = [
    ("zoo:kws", "m0plus", 18.8),
    ("zoo:kws", "m55", 0.93),
    ("zoo:resnet8", "m0plus", 67.5),
    ("zoo:vww", "m0plus", 53.0),
]


@cache
def exported(model: str, target: str = "qemu-m4", optimize: str = "balanced") -> Path:
    """Once in a test process."""
    folder = Path(mkdtemp(prefix="edgevit-test-")) / "net"
    wish = FirmwareOptions(optimize=optimize)
    result = export(
        model, target=target, output=folder, backend_options=wish, input_size=SIZES.get(model)
    )
    assert result.parity[-1].passed  # the firmware is the integer model
    return folder


def near_float(folder: Path) -> bool:
    parity = json.loads((folder / "edgevit.json").read_text())["parity"]
    (integers,) = (entry for entry in parity if entry["stage"] == "integers")
    return integers["cosine"] >= 0.99


# The transformer runs in the test of what it costs, so that a default run exports it no second time.
EVERY = [(model, core, tool) for model in NETS for core, tool in BUILDS]
# Cores without a multiplier for pairs take ten times as long in the emulator, and run every kernel elsewhere.
USUAL = {
    ("zoo:hybrid-i64-d32", core, tool)
    for core, tool in USUAL_BUILDS
    if core not in ("m0plus", "rv32")
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "core", "tool"),
    [pytest.param(*each, marks=() if each in USUAL else pytest.mark.long) for each in EVERY],
)
def test_every_core_computes_the_same(model: str, core: str, tool: str) -> None:
    folder = exported(model)
    assert near_float(folder)
    assert run_firmware(folder, core, tool, None).golden_match


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "optimize", "instructions", "ram"),
    [
        ("qemu-m4", "balanced", 42.3e6, 16_500),
        pytest.param("qemu-m4", "ram", 55e6, 16_500, marks=pytest.mark.long),
        ("qemu-m55", "balanced", 7.5e6, 22_100),
    ],
)
def test_a_vision_transformer_costs_no_more(
    target: str, optimize: str, instructions: float, ram: int
) -> None:
    """TFLM with CMSIS-NN takes 261 M instructions on the M4, 128 M on the M55, and 184 KB."""
    folder = exported(VIT, target, optimize)
    found = run_firmware(folder, None, "zig", None)
    assert found.golden_match and near_float(folder)
    assert found.instructions <= instructions and found.memory.ram <= ram


@pytest.mark.slow
@pytest.mark.long
def test_a_hybrid_with_its_stream_in_16_bits_costs_no_more() -> None:
    folder = exported("timm:shvit_s1")
    graph, _ = load_graph(next(folder.rglob(GRAPH)))
    found = run_firmware(folder, None, "zig", None)
    assert any(op.output.dtype == "int16" for op in graph.ops)
    assert found.golden_match and found.instructions <= 66e6


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["zoo:kws", *(pytest.param(net, marks=pytest.mark.long) for net in list(TINY)[1:])]
)
def test_a_net_of_mlperf_tiny_costs_no_more(model: str) -> None:
    found = run_firmware(exported(model), None, "zig", None)
    millions, arena = TINY[model]
    assert found.golden_match
    assert found.instructions <= millions * 1e6 and found.memory.arena <= arena


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "core", "millions"),
    [
        pytest.param(*case, marks=() if case[0] == "zoo:kws" else pytest.mark.long)
        for case in TINY_ELSEWHERE
    ],
)
def test_a_net_of_mlperf_tiny_costs_no_more_on_other_cores(
    model: str, core: str, millions: float
) -> None:
    found = run_firmware(exported(model), core, "zig", None)
    assert found.golden_match and found.instructions <= millions * 1e6
