"""Calls that stop at the first exit that is sure: where the integers say, with their logits, and nothing after it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from edgevit.backends.mcu.codegen.emit import emit
from edgevit.backends.mcu.codegen.test_main_template import Case, early_template, poked_inputs
from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.schedule.search import best_plan
from edgevit.errors import UsageError
from edgevit.integer.exits import ExitCheck, confidence_of, most_for
from edgevit.integer.rewrites.rewritten import rewritten
from edgevit.integer.simulate import outputs_of
from edgevit.support.resources import data_dir
from tests.backends.mcu.host import FLAGS, library
from tests.exits.test_exits import Exiting
from tests.quantize.imported import imported

_EMIT = """
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#define EV_INPUT
#define main program
#include "main.c"
#undef main
void ev_emit(const void *data, uint32_t size) { fwrite(data, 1, size, stdout); }
int main(void)
{
    while (fread(most, 1, sizeof most, stdin) == sizeof most) {
        fread(net_input_0, 1, sizeof net_input_0, stdin);
        if (program())
            return 1;
    }
    return 0;
}
"""
NEVER, AT_ONCE = 2.0, 0.0


@pytest.mark.parametrize("optimize", ["ram", "speed"])
def test_it_leaves_where_the_integers_say(optimize: str, folder: Path, tmp_path: Path) -> None:
    images = torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    quantized = imported(Exiting(), images[:1])
    graph = rewritten(quantized.graph)
    checks = [ExitCheck.of(port) for port in quantized.outputs]
    emitted = emit(best_plan(graph, CORES["m3"], optimize), "net", exits=checks[:-1])
    (tmp_path / "net.c").write_text(emitted.source)
    (tmp_path / "net.h").write_text(emitted.header)
    (tmp_path / "ev_run.h").write_text("void ev_emit(const void *data, uint32_t size);\n#define EV_INPUT static\n")  # fmt: skip
    integers = [quantized.quantized((image[None],)) for image in images]
    (tmp_path / "main.c").write_text(early_template(Case("net", graph, emitted, integers[0])))
    (tmp_path / "host.c").write_text(_EMIT.replace("#define EV_INPUT\n", ""))
    words = ["gcc", *FLAGS, "-DNET_DEBUG", f"-I{data_dir('kernels') / 'include'}", "-I."]
    sources = ["host.c", "net.c", str(library(folder))]
    subprocess.run([*words, *sources, "-o", "program"], cwd=tmp_path, check=True)

    outputs = [outputs_of(graph, one) for one in integers]
    sure = [
        [confidence_of(c.total(x)) for c, x in zip(checks, one, strict=True)] for one in outputs
    ]
    middle = [float(np.median([one[k] for one in sure])) for k in (0, 1)]
    fed, expected = b"", b""
    for thresholds in ([NEVER, NEVER], [AT_ONCE, NEVER], [NEVER, AT_ONCE], middle):
        most = np.array([most_for(one) for one in thresholds], np.uint32)
        for one, logits, confidences in zip(integers, outputs, sure, strict=True):
            (data,) = poked_inputs([Case("net", graph, emitted, one)]).values()
            fed += most.tobytes() + data
            pairs = zip(confidences, [*thresholds, AT_ONCE], strict=True)
            taken = next(k for k, (reached, least) in enumerate(pairs) if reached >= least)
            expected += logits[taken].tobytes() + np.uint32(taken).tobytes()
    done = subprocess.run([tmp_path / "program"], input=fed, capture_output=True, check=True)
    assert done.stdout == expected


def test_a_confidence_is_the_softmax() -> None:
    quantized = imported(Exiting(), torch.randn(1, 1, 4, 4))
    port = quantized.outputs[0]
    logits = np.array([[3, -90, 40]], np.int8)
    real = torch.from_numpy(port.dequantized(logits))
    confidence = confidence_of(ExitCheck.of(port).total(logits))
    assert confidence == pytest.approx(float(real.softmax(-1).max()), rel=1e-4)


def test_a_net_without_exits_is_refused(tmp_path: Path) -> None:
    from edgevit import export
    from edgevit.backends.mcu.options import FirmwareOptions

    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
    with pytest.raises(UsageError, match="no exits"):
        export(
            net, (torch.randn(1, 1, 4, 4),), target="qemu-m4", output=tmp_path / "o",
            backend_options=FirmwareOptions(exits=True),
        )  # fmt: skip
