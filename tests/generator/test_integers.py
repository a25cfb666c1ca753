"""Random nets in integers: the file of each format is as near the float model as its simulation.

The seeds are of nets that a converter or a runtime once got wrong. The first N: `pytest tests/generator --nets N`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.backends.api import Expected, Lowering
from edgevit.graph.text import graph_text
from edgevit.quantize.calibration import generated
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.support.backend_info import BACKENDS
from edgevit.targets import load_target
from tests.generator.test_generated import REFUSALS, backend, rewritten
from tests.tiers import every_second

ONCE_WRONG = {
    ("tflite", "int8"): (
        1,  # concatenation of two encodings
        7,  # an image that several calls read
        8,  # pad with another number than zero
        9,  # operand of a concatenation far outside the other's range
    ),
    ("executorch", "int8"): (
        5,  # channels that seem to lie last in a weight of one channel
        17,  # clamp that the delegate does not fuse
        19,  # dequantize call of a norm's parts
        46,  # moves of seven axes
    ),
    ("tflite", "auto"): (
        2,  # product with rows of integers
    ),
    ("executorch", "auto"): (
        16,  # product with a vector
        20,  # product with an image whose channels lie last
        24,  # product with rows of integers
    ),
    ("onnx", "int8"): (0, 7),  # none was wrong: two of many operators
    ("coreml", "int8"): (0, 7),
}
PICTURES = 8


def quantized(seed: int, format: str, precision: str) -> QuantizedProgram:
    _, _, program = rewritten(seed, format)
    scheme = BACKENDS[format].scheme(precision)
    assert scheme is not None
    return quantize_program(program, generated(program, count=PICTURES), scheme)


def through_integers(seed: int, format: str, precision: str, folder: Path) -> None:
    source, expected, _ = rewritten(seed, format)
    made = quantized(seed, format, precision)
    target = load_target("iphone-15-pro" if format == "coreml" else "linux-x86")
    request = Lowering(
        made.program, source, target, precision, folder, lambda _: None, quantized=made
    )
    artifact = backend(format).lower(request)
    judged = Expected(source.inputs, expected, made.program, (), made.held_out)
    for parity in backend(format).check(artifact, judged):
        assert parity.passed, f"seed {seed}: {parity}\n{graph_text(made.program)}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    count, seed = metafunc.config.getoption("--nets"), metafunc.config.getoption("--net-seed")
    chosen = None if count is None else range(count)
    chosen = chosen if seed is None else (seed,)
    cases = [(*key, s) for key, seeds in ONCE_WRONG.items() for s in (chosen or seeds)]
    if chosen is None:
        cases = list(every_second(cases))
    metafunc.parametrize(("format", "precision", "seed"), cases)


def test_the_file_is_as_near_as_the_simulation(
    format: str, precision: str, seed: int, tmp_path: Path
) -> None:
    try:
        through_integers(seed, format, precision, tmp_path)
    except REFUSALS as refusal:
        pytest.skip(str(refusal))
