"""Choices that formats share: taken where nothing that decides them differs, and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgevit.backends.executorch.scheme import SCHEMES as EXECUTORCH
from edgevit.backends.onnx.scheme import SCHEMES as ONNX
from edgevit.backends.tflite.scheme import SCHEMES as TFLITE
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.quantize import stream_choice
from edgevit.quantize.calibration import generated
from edgevit.quantize.choice import EarlierChoices
from edgevit.quantize.encoding import Grid
from edgevit.quantize.qdq import with_other_grids, with_pairs
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.trial import EarlierWay
from tests.quantize.imported import rewritten
from tests.quantize.test_pairs import program
from tests.quantize.test_residual_stream import IMAGE, Net, plain


@pytest.fixture(scope="module")
def whole() -> Program:
    return program()


def quantized(
    whole: Program, scheme: QuantScheme, earlier: EarlierChoices | None = None
) -> QuantizedProgram:
    return quantize_program(whole, generated(whole, count=8), scheme, earlier=earlier)


def test_formats_that_place_the_same_integers_share_one_choice(whole: Program) -> None:
    earlier = EarlierChoices()
    first = quantized(whole, TFLITE["int8"], earlier)
    second = quantized(whole, EXECUTORCH["int8"], earlier)
    alone = quantized(whole, EXECUTORCH["int8"])
    assert second.held_out is first.held_out
    assert graph_text(second.program) == graph_text(alone.program)
    assert second.placement.islands == alone.placement.islands
    assert second.report == alone.report
    for one in alone.held_out:
        torch.testing.assert_close(second.program.run(one.inputs), one.simulated)


def test_formats_that_place_the_same_integers_try_the_stream_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    streamed = rewritten(Net(plain), IMAGE)
    tried: list[QuantScheme] = []
    ratio = stream_choice._ratio
    monkeypatch.setattr(stream_choice, "_ratio", lambda *a: (tried.append(a[1]), ratio(*a))[1])
    earlier = EarlierChoices()
    quantized(streamed, TFLITE["int8"], earlier)
    quantized(streamed, EXECUTORCH["int8"], earlier)
    assert len(tried) == 2  # floats and integers
    quantized(streamed, ONNX["int8"], earlier)
    assert len(tried) == 4


def test_another_formats_way_is_taken_where_it_is_as_good(whole: Program) -> None:
    earlier = EarlierChoices()
    earlier.add_way(ONNX["int8"], EarlierWay("min-max", False, snr=30.0))
    second = quantized(whole, TFLITE["int8"], earlier)
    first, *rooms = second.report.methods
    assert first.name == "the way that was best for another format"
    assert first.after >= 29.5
    assert all("times as wide" in one.name for one in rooms)


def test_another_formats_way_is_left_where_it_is_worse(whole: Program) -> None:
    earlier = EarlierChoices()
    earlier.add_way(TFLITE["int8"], EarlierWay("percentile", False, snr=999.0))
    second = quantized(whole, TFLITE["int8"], earlier)
    assert second.report == quantized(whole, TFLITE["int8"]).report


def test_nothing_is_shared_where_the_numbers_differ(whole: Program) -> None:
    earlier = EarlierChoices()
    first = quantized(whole, EXECUTORCH["int8"], earlier)
    other = replace(whole, constants={name: 2 * t for name, t in whole.constants.items()})
    for then in (
        quantized(whole, ONNX["int8"], earlier),
        quantized(whole, EXECUTORCH["auto"], earlier),
        quantized(other, EXECUTORCH["int8"], earlier),
    ):
        assert then.held_out is not first.held_out


@pytest.mark.parametrize("scheme", [TFLITE["int8"], ONNX["int8"], TFLITE["auto"]])
def test_other_grids_in_a_simulation_are_as_if_written_anew(
    whole: Program, scheme: QuantScheme
) -> None:
    made = quantized(whole, scheme)
    where = (made.original, made.placement)
    wider = {
        node: Grid(1.5 * grid.scale, grid.zero, grid.dtype) for node, grid in made.encodings.items()
    }
    anew = with_pairs(*where, wider, made.weights, scheme)
    changed = with_other_grids(made.program, made.placement, wider)
    assert graph_text(changed) == graph_text(anew) != graph_text(made.program)
    (image,) = whole.inputs
    assert torch.equal(*changed.run((image,)), *anew.run((image,)))
