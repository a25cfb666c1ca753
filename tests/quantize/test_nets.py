"""Nets as their authors wrote them become integers that are near."""

from __future__ import annotations

import pytest
import torch

from edgevit.backends.mcu.gate import MEAN
from edgevit.backends.mcu.rules import RULES
from edgevit.frontend.capture import capture
from edgevit.frontend.pixels import takes_pixels
from edgevit.frontend.resolve import resolve
from edgevit.graph.parity import distance
from edgevit.integer.lowering.lower import quantize
from edgevit.integer.rewrites.split_stacks import split_stacks
from edgevit.integer.simulate import outputs_of
from edgevit.quantize.calibration import ImageInput, generated
from edgevit.rewrites import engine

NETS = {
    "timm:deit_tiny_patch16_224": 96,
    "timm:mobilenetv4_conv_small_035": 96,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "net",
    [
        pytest.param("timm:deit_tiny_patch16_224", marks=pytest.mark.long),
        "timm:mobilenetv4_conv_small_035",
    ],
)
def test_integers_are_near_as_an_export_asks(net: str) -> None:
    source = takes_pixels(resolve(net, input_size=NETS[net]))
    program = engine.run(capture(source), RULES)[0]
    found = quantize(program, generated(program, ImageInput(source.preprocess, pixels=True)))
    split = split_stacks(found.graph)  # verified, and the same integers
    given = found.quantized(source.inputs)
    integers = outputs_of(split, given)
    assert all(
        (a == b).all() for a, b in zip(integers, outputs_of(found.graph, given), strict=True)
    )
    with torch.no_grad():
        expected = source.module(*source.inputs)
    assert MEAN.holds(distance([expected], found.dequantized(integers)))
