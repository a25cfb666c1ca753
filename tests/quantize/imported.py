"""From a module to its integer graph, as an export does it."""

from __future__ import annotations

import torch
from torch import nn

from edgevit.backends.mcu.rules import RULES
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.program import Program
from edgevit.integer.lowering.lower import quantize
from edgevit.integer.lowering.quantized import Quantized, QuantOptions
from edgevit.quantize.calibration import Calibration, generated
from edgevit.rewrites import engine


def rewritten(module: nn.Module, *inputs: torch.Tensor) -> Program:
    names = tuple(f"x{index}" for index in range(len(inputs)))
    module.eval().requires_grad_(False)
    source = ModelSource("test", "test", module, inputs, names, "test", "test")
    return engine.run(capture(source), RULES)[0]


def imported(
    module: nn.Module,
    *inputs: torch.Tensor,
    calibration: Calibration | None = None,
    options: QuantOptions | None = None,
) -> Quantized:
    program = rewritten(module, *inputs)
    return quantize(program, calibration or generated(program), options)
