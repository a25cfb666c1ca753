"""The image pushed in pieces, as a camera would, on the host: sanitizers on, poison where nothing lives, canaries after."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgevit.backends.mcu.codegen.c_api import row_destination
from edgevit.backends.mcu.codegen.emit import Emitted, emit
from edgevit.backends.mcu.cores import CORES
from edgevit.integer.graph import IntegerGraph
from edgevit.integer.simulate import outputs_of
from edgevit.support.resources import data_dir
from tests.backends.mcu.host import FLAGS, library
from tests.backends.mcu.plans import random_plan
from tests.backends.mcu.random_nets import random_net

CORE = CORES["m3"]

PIECES = """
#include <stdio.h>
#include <stdlib.h>
#include "{prefix}.h"
int main(void)
{{
    static uint8_t image[{size}], result[{results}];
    static uint8_t arena[{upper}_ARENA_BYTES] __attribute__((aligned(16)));
    void *const outputs[] = {{{places}}};
    {prefix} model;
    int status = 0;
    if (fread(image, 1, sizeof(image), stdin) != sizeof(image))
        return 9;
    for (int turn = 0; turn < 2; turn++) {{
        status |= {prefix}_begin(&model, arena, sizeof(arena));
        for (uint32_t row = 0, next; row < {upper}_ROWS; row += next) {{
            next = 1u + (uint32_t)rand() % 5u;
            if (next > {upper}_ROWS - row)
                next = {upper}_ROWS - row;
            uint8_t *piece = malloc(next * {upper}_ROW_BYTES); /* so that no byte beyond it can be read */
            for (uint32_t i = 0; i < next * {upper}_ROW_BYTES; i++)
                piece[i] = image[row * {upper}_ROW_BYTES + i];
            status |= {prefix}_push_rows(&model, piece, next);
            free(piece);
        }}
        status |= {prefix}_finish(&model, outputs);
    }}
    fwrite(result, 1, sizeof(result), stdout);
    return -status;
}}
"""

MISUSED = """
#include <string.h>
#include "{prefix}.h"
static uint8_t image[{size}], result[{results}];
static uint8_t arena[{upper}_ARENA_BYTES + 16] __attribute__((aligned(16)));
#define EXPECT(call, code) if ((call) != (code)) return __LINE__ % 250
int main(void)
{{
    void *const outputs[] = {{{places}}};
    const void *const inputs[] = {{image}};
    {prefix} model;
    memset(&model, 0xA5, sizeof(model));
    EXPECT({prefix}_push_rows(&model, image, 1), EV_ERROR_ORDER);
    EXPECT({prefix}_finish(&model, outputs), EV_ERROR_ORDER);
    EXPECT({prefix}_begin(&model, NULL, sizeof(arena)), EV_ERROR_ARENA);
    EXPECT({prefix}_begin(&model, arena, {upper}_ARENA_BYTES - 1), EV_ERROR_ARENA);
    EXPECT({prefix}_begin(&model, arena + 4, {upper}_ARENA_BYTES), EV_ERROR_ARENA);
    EXPECT({prefix}_push_rows(&model, image, 1), EV_ERROR_ORDER);
    EXPECT({prefix}_run(inputs, outputs, arena + 4), EV_ERROR_ARENA);
    EXPECT({prefix}_begin(&model, arena, sizeof(arena)), EV_OK);
    EXPECT({prefix}_push_rows(&model, image, {upper}_ROWS + 1), EV_ERROR_ROWS);
    EXPECT({prefix}_push_rows(&model, image, {upper}_ROWS - 1), EV_OK);
    EXPECT({prefix}_finish(&model, outputs), EV_ERROR_ROWS);
    EXPECT({prefix}_push_rows(&model, image, 2), EV_ERROR_ROWS);
    EXPECT({prefix}_push_rows(&model, image, 0), EV_OK);
    EXPECT({prefix}_push_rows(&model, image, 1), EV_OK);
    EXPECT({prefix}_finish(&model, outputs), EV_OK);
    EXPECT({prefix}_finish(&model, outputs), EV_ERROR_ORDER);
    EXPECT({prefix}_push_rows(&model, image, 1), EV_ERROR_ORDER);
    return 0;
}}
"""


def built(
    emitted: Emitted, graph: IntegerGraph, main: str, folder: Path, *more: str
) -> tuple[Path, int]:
    places, position = [], 0
    for value in graph.outputs:
        places.append(f"result + {position}")
        position += value.bytes
    prefix = emitted.stem
    facts = {"prefix": prefix, "upper": prefix.upper(), "size": graph.inputs[0].bytes}
    (folder / f"{prefix}.h").write_text(emitted.header)
    (folder / f"{prefix}.c").write_text(emitted.source)
    (folder / "main.c").write_text(main.format(**facts, results=position, places=", ".join(places)))
    program = folder / "program"
    include = f"-I{data_dir('kernels') / 'include'}"
    words = ["gcc", *FLAGS, include, *more, f"{prefix}.c", "main.c"]
    subprocess.run([*words, str(library(folder.parent)), "-o", "program"], cwd=folder, check=True)
    return program, position


@pytest.mark.parametrize("seed", range(24))
def test_pieces_make_the_same_image(seed: int, tmp_path: Path) -> None:
    graph, inputs = random_net(seed)
    plan = random_plan(graph, CORE, np.random.default_rng(seed))
    if row_destination(plan) is None:
        pytest.skip("more than one input")
    program, _ = built(emit(plan, "net"), graph, PIECES, tmp_path, "-DNET_DEBUG")
    done = subprocess.run([program], input=inputs[0].tobytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    wanted = b"".join(output.tobytes() for output in outputs_of(graph, inputs))
    assert done.stdout == wanted


def test_misuse_is_an_error_and_never_an_answer(tmp_path: Path) -> None:
    graph, _ = random_net(0)
    emitted = emit(random_plan(graph, CORE, np.random.default_rng(0)), "net")
    program, _ = built(emitted, graph, MISUSED, tmp_path)
    assert subprocess.run([program], check=False).returncode == 0


def test_poison_is_noticed(tmp_path: Path) -> None:
    """A kernel's call that writes one byte beyond the arena: the canary after it."""
    graph, inputs = random_net(0)
    plan = random_plan(graph, CORE, np.random.default_rng(0))
    emitted = emit(plan, "net")
    where = emitted.source.index("    EV_TRACE(0u, 1);")
    broken = f"{emitted.source[:where]}    arena[{plan.size}] = 1;\n{emitted.source[where:]}"
    wrong = Emitted(emitted.header, broken, emitted.kernels, emitted.layers, plan, emitted.stem)
    program, _ = built(wrong, graph, PIECES, tmp_path, "-DNET_DEBUG")
    done = subprocess.run([program], input=inputs[0].tobytes(), capture_output=True, check=False)
    assert done.returncode != 0
