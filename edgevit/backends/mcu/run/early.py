"""Exported firmware with exits: what its integers are sure of, and runs on an emulated core that stop early."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edgevit.backends.execution import EarlyRun, ExitLogits
from edgevit.backends.mcu.bundle import Bundle, read_bundle
from edgevit.backends.mcu.codegen.firmware import MODEL, link_firmware
from edgevit.backends.mcu.codegen.test_main_template import Case, early_template, poked_inputs
from edgevit.backends.mcu.emulator import emulator, emulators_of
from edgevit.backends.mcu.options import FirmwareOptions
from edgevit.backends.mcu.toolchain import toolchain
from edgevit.integer import ExitCheck, confidence_of, most_for, outputs_of

OPTIONS = FirmwareOptions(exits=True)
HEADER = "edgevit_exits.h"


class EarlyFirmware:
    def __init__(self, folder: Path) -> None:
        self._bundle: Bundle = read_bundle(folder)
        self._checks = [ExitCheck.of(port) for port in self._bundle.outputs]

    def exits(self, inputs: Sequence[np.ndarray]) -> tuple[ExitLogits, ...]:
        """Compute all exits by the integer model."""
        integers = outputs_of(self._bundle.graph, self._bundle.quantized(inputs))
        real = self._bundle.dequantized(integers)
        return tuple(
            ExitLogits(y, confidence_of(check.total(x)))
            for check, x, y in zip(self._checks, integers, real, strict=True)
        )

    @contextmanager
    def emulated(self) -> Iterator[Callable[[Sequence[np.ndarray], Sequence[float]], EarlyRun]]:
        """Build the firmware once; the function runs it on inputs with a threshold for each exit but the last."""
        bundle, core = self._bundle, self._bundle.core
        machine = emulator(emulators_of(core)[0])
        blank = tuple(np.zeros(port.value.shape, port.value.dtype) for port in bundle.inputs)
        case = Case(MODEL, bundle.graph, bundle.emitted(), blank)
        with tempfile.TemporaryDirectory(prefix="edgevit-early-") as work:
            main = early_template(case)
            program = link_firmware(bundle.folder, main, core, toolchain(), Path(work))

            def run(inputs: Sequence[np.ndarray], thresholds: Sequence[float]) -> EarlyRun:
                most = np.array([most_for(one) for one in thresholds], np.uint32)
                filled = Case(MODEL, bundle.graph, case.emitted, bundle.quantized(inputs))
                poked = poked_inputs([filled]) | {"most": most.tobytes()}
                done = machine.run(program, core, inputs=poked)
                taken = int(np.frombuffer(done.output[-4:], np.uint32)[0])
                port = bundle.outputs[taken]
                logits = np.frombuffer(done.output[:-4], port.value.dtype)
                real = port.dequantized(logits.reshape(port.value.shape))
                return EarlyRun(taken, real, done.instructions)

            yield run

    def header(self, thresholds: Sequence[float]) -> str:
        """Return a C header with the thresholds, as the firmware compares them."""
        numbers = ", ".join(f"{most_for(one)}u" for one in thresholds)
        shown = ", ".join(f"{one:.4f}" for one in thresholds)
        return (
            "/* Thresholds of early exits, written by edgevit.\n   SPDX-License-Identifier: Apache-2.0 */\n"
            "#ifndef EDGEVIT_EXITS_H\n#define EDGEVIT_EXITS_H\n\n#include <stdint.h>\n\n"
            f"/* Of the largest softmax: {shown}. For `most` of {MODEL}_run_early and {MODEL}_finish_early. */\n"
            f"static const uint32_t {MODEL}_most[] = {{{numbers}}};\n\n#endif\n"
        )


def open_early(folder: Path) -> EarlyFirmware:
    return EarlyFirmware(folder)
