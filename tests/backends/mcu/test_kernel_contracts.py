"""A kernel called against its contract stops a debug build, and says which precondition it was."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.emulator import emulator
from edgevit.backends.mcu.toolchain import toolchain
from edgevit.errors import BackendRuntimeError
from edgevit.support.resources import data_dir
from tests.backends.mcu.host import FLAGS, library

_PROGRAM = """
#include "ev_kernels.h"
#include "ev_kernels_mve.h"

static const int8_t weight[64];
static const int32_t bias[8], multiplier[8] = {{1, 1, 1, 1, 1, 1, 1, 1}};
static const uint16_t table[256] = {{65535}};
static int8_t x[64], y[64];
static int16_t places[8];
static uint8_t scratch[8192] __attribute__((aligned(16)));
#define WINDOW .in_height = 4, .in_width = 2, .channels = 4, .out_width = 2, .kernel_h = 3, .kernel_w = 1, \\
    .stride_y = 1, .stride_x = 1, .dilation_y = 1, .dilation_x = 1, .pad_top = 1, .out_ring = 4

int main(void)
{{
    (void)weight, (void)bias, (void)multiplier, (void)table, (void)x, (void)y, (void)places, (void)scratch;
    {call}
    return 0;
}}
"""
_LINEAR = (
    "const struct ev_linear p = {.depth = 8, .columns = 4, .x_stride = 8, .y_stride = 4, "
    ".weight = weight, .bias = bias, .multiplier = multiplier};"
)
_NORM = (
    "const struct ev_norm p = {.length = 8, .channels = %d, .numerator = 1u << 30, .shift = 8, "
    ".reciprocal = 1u << 30, .reciprocal_shift = 17};"
)
_BROKEN = {  # call, and the precondition that it breaks
    "an output over the input": (
        f"{_LINEAR} ev_linear_s8(&p, x, x + 7, 1, 0);",
        "ev_disjoint",
    ),
    "rows closer than they are long": (
        f"{_LINEAR.replace('.x_stride = 8', '.x_stride = 7')} ev_linear_s8(&p, x, y, 2, 0);",
        "ev_valid_strides",
    ),
    "a multiplier of 0": (
        f"{_LINEAR.replace('.multiplier = multiplier', '.multiplier = bias')} ev_linear_s8(&p, x, y, 1, 0);",
        "ev_all_positive",
    ),
    "a block that is not inside the row": (
        "static const uint16_t index[2] = {1, 5}; const struct ev_linear_sparse p = {.depth = 8, .columns = 4, "
        ".x_stride = 8, .y_stride = 4, .weight = weight, .index = index, .bias = bias, .multiplier = multiplier}; "
        "ev_linear_sparse_s8(&p, x, y, 1, 0);",
        "ev_valid_listed_blocks",
    ),
    "a zero point of 9 bits": (
        "const struct ev_multiply p = {.a_zero = 128, .multiplier = 1}; ev_multiply_s8(&p, x, x, y, 8);",
        "ev_valid_multiply",
    ),
    "a shift of 16": (
        "const struct ev_add p = {.a_factor = 1, .b_factor = 1, .shift = 16}; ev_add_s8(&p, x, x, y, 8);",
        "ev_valid_add",
    ),
    "an output half over an operand": (
        "const struct ev_add p = {.a_factor = 1, .b_factor = 1}; ev_add_s8(&p, x, y, x + 1, 8);",
        "ev_same_or_disjoint",
    ),
    "a ring shorter than the window": (
        "const struct ev_depthwise p = {.window = {WINDOW, .in_ring = 2}, .weight = weight, .bias = bias, "
        ".multiplier = multiplier}; ev_depthwise_s8(&p, x, y, 1, 1, 0);",
        "ev_rings_hold",
    ),
    "groups that do not divide the channels": (
        "const struct ev_conv2d p = {.window = {WINDOW, .in_ring = 4}, .columns = 4, .groups = 3, "
        ".weight = weight, .bias = bias, .multiplier = multiplier}; ev_conv2d_s8(&p, x, y, 0, 1, 0);",
        "p->groups",
    ),
    "an average without a multiplier": (
        "const struct ev_pool p = {.window = {WINDOW, .in_ring = 4}}; ev_average_pool_s8(&p, x, y, 0, 1, 0);",
        "ev_valid_average",
    ),
    "scratch between its 16 bytes": (
        "const struct ev_softmax p = {.length = 8, .x_stride = 8, .y_stride = 8, .table = table, "
        ".numerator = 1u << 30, .shift = 20}; ev_softmax_s8(&p, x, y, 1, scratch + 2);",
        "ev_aligned(scratch, 16)",
    ),
    "a period that does not divide the row": (
        f"{_NORM % 3} ev_norm_s8(&p, x, y, 1, 0);",
        "ev_valid_norm",
    ),
    "elements of 3 bytes": (
        "const struct ev_move p = {.sizes = {1, 1, 1, 1}, .element_bytes = 3}; ev_move(&p, x, y);",
        "ev_valid_move",
    ),
    "more places than there are values": (
        "const struct ev_order p = {.length = 3, .count = 4}; ev_order_s8(&p, x, places, 1);",
        "ev_valid_order",
    ),
    "rows gathered over themselves": (
        "const struct ev_gather p = {.rows = 8, .row_bytes = 8}; ev_gather(&p, x, places, x + 8, 2);",
        "ev_disjoint(x,",
    ),
    "rows scattered over themselves": (
        "const struct ev_scatter p = {.rows = 4, .width = 8}; ev_scatter_s8(&p, x, places, x + 32, y + 1, 1), "
        "ev_scatter_s8(&p, x, places, y, y, 1);",
        "ev_disjoint(rows,",
    ),
    "one-hot rows without columns": (
        "const struct ev_one_hot p = {.first = 0}; ev_one_hot_s8(&p, places, y, 1);",
        "columns",
    ),
    "a value that a byte does not hold": (
        "const struct ev_fill p = {.value = 128, .element_bytes = 1}; ev_fill(&p, y, 8);",
        "ev_between(-128, p->value, 127)",
    ),
}


def _run(call: str, folder: Path) -> subprocess.CompletedProcess[str]:
    archive, include = library(folder), data_dir("kernels") / "include"
    (folder / "main.c").write_text(_PROGRAM.format(call=call))
    words = ["gcc", *FLAGS, f"-I{include}", "main.c", str(archive), "-o", "main"]
    subprocess.run(words, cwd=folder, check=True)
    return subprocess.run([folder / "main"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("what", _BROKEN)
def test_a_broken_precondition_stops_the_program(what: str, folder: Path) -> None:
    call, precondition = _BROKEN[what]
    done = _run(call, folder)
    assert done.returncode == -signal.SIGABRT, done.stderr
    assert precondition in done.stderr and "Assertion" in done.stderr


def test_calls_that_keep_their_contract_pass(folder: Path) -> None:
    for call in (
        f"{_LINEAR} ev_linear_s8(&p, x, y, 1, 0);",
        f"{_NORM % 4} ev_norm_s8(&p, x, x, 1, 0);",
    ):
        assert _run(call, folder).returncode == 0


def test_a_release_build_evaluates_nothing(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(
        '#include "ev_assert.h"\nint calls;\nstatic int broken(void) { return calls++; }\n'
        "int main(void) { EV_ASSERT(broken()); EV_ASSERT(0); return calls; }\n"
    )
    include = data_dir("kernels") / "include"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, f"-I{include}", "main.c"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "a.out"], check=False).returncode == 0


@pytest.mark.parametrize("tool", ["zig", "gcc"])
@pytest.mark.parametrize(
    ("source", "core"),
    [
        ("conv2d/ev_conv2d_s8.c", "m3"),
        ("norm/ev_norm_s8.c", "rv32"),
        ("linear/ev_linear_s8_dsp.c", "m4"),
        ("depthwise/ev_depthwise_s8_mve.c", "m55"),
    ],
)
def test_a_release_object_has_no_instruction_of_an_assertion(
    source: str, core: str, tool: str
) -> None:
    """It is the object of the same source without any."""
    kernels, without = data_dir("kernels"), {"EV_ASSERT_H": 1, "EV_ASSERT(x)": "((void)0)"}
    path, include = kernels / source, [kernels / "include"]
    objects = [
        toolchain(tool).compile(path, CORES[core], include=include, defines=each, flags=["-g0"])
        for each in ({}, without, {"EV_DEBUG": 1})
    ]
    release, bare, debug = (path.read_bytes() for path in objects)
    assert release == bare != debug


def test_on_a_core_it_is_a_fault(tmp_path: Path) -> None:
    """The vector kernel for windows of at most 16 rows, with one of 17."""
    call = (
        "const struct ev_depthwise p = {.window = {WINDOW, .in_ring = 4}, .weight = weight, .bias = bias, "
        ".multiplier = multiplier}; ev_depthwise_s8_mve(&p, x, y, 0, 1, scratch);"
    ).replace("{WINDOW,", "{.in_height = 17, .in_width = 1, .channels = 1, .out_width = 1, .kernel_h = 17, "
              ".kernel_w = 1, .stride_y = 1, .stride_x = 1, .dilation_y = 1, .dilation_x = 1, .out_ring = 1,")  # fmt: skip
    call = call.replace(".in_ring = 4", ".in_ring = 17")
    (tmp_path / "main.c").write_text(_PROGRAM.format(call=call))
    tool, core, kernels = toolchain("zig"), CORES["m55"], data_dir("kernels")
    sources = (tmp_path / "main.c", kernels / "depthwise" / "ev_depthwise_s8_mve.c")
    defines = {"EV_DEBUG": 1}
    parts = [
        tool.compile(source, core, include=[kernels / "include"], defines=defines)
        for source in sources
    ]
    elf = tool.link(parts, core, tmp_path / "program.elf")
    with pytest.raises(BackendRuntimeError, match="in ev_depthwise_s8_mve"):
        emulator("qemu").run(elf, core)
