"""Choices that formats share: taken where nothing that decides them differs, and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgevit.backends.executorch.scheme import SCHEMES as EXECUTORCH
from edgevit.backends.onnx.scheme import SCHEMES as ONNX
from edgevit.backends.tflite.scheme import SCHEMES as TFLITE
from edgevit.graph.program import Program, copy_graph
from edgevit.graph.text import graph_text
from edgevit.quantize import stream_choice
from edgevit.quantize.calibration import generated
from edgevit.quantize.choice import EarlierChoices
from edgevit.quantize.encoding import Grid
from edgevit.quantize.known_values import KnownValues
from edgevit.quantize.qdq import with_other_grids, with_pairs
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.trial import EarlierWay, Trial
from edgevit.quantize.value_ranges import RangeChoice
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


def test_of_the_other_ways_only_those_that_were_near_are_tried(whole: Program) -> None:
    others = (EarlierWay("mse", True, 998.5), EarlierWay("min-max", True, 900.0))
    earlier = EarlierChoices()
    earlier.add_way(TFLITE["int8"], EarlierWay("percentile", False, snr=999.0, others=others))
    quantized(whole, TFLITE["int8"], earlier)
    taken = earlier.way(TFLITE["int8"])
    assert taken is not None and taken.others is not None
    assert taken[:2] == ("mse", True)
    assert [one[:2] for one in taken.others] == [("percentile", False), ("mse", True)]


def test_formats_with_integers_of_the_same_bits_try_one_way_first(whole: Program) -> None:
    earlier, way = EarlierChoices(), EarlierWay("min-max", False, snr=0.0)
    earlier.add_way(TFLITE["int8"], way)
    assert earlier.way(replace(TFLITE["int8"], activations="uint8", symmetric=True)) is way
    assert earlier.way(replace(TFLITE["int8"], weight_bits=4)) is None
    assert earlier.way(replace(TFLITE["int8"], activations="int16")) is None


def test_a_value_of_the_same_numbers_is_observed_once_for_all_formats(whole: Program) -> None:
    def begun(program: Program, known: KnownValues) -> Trial:
        runs = generated(program, count=6).inputs
        return Trial.begin(
            program, TFLITE["int8"], runs[::2], runs[1::2], {}, True, known_values=known
        )

    def ranges(trial: Trial) -> dict[str, RangeChoice]:
        return {rename(name): choice for name, choice in trial._own_ranges().items()}

    def rename(name: str) -> str:
        return name.removeprefix("of_another_format_")

    known = KnownValues()
    first = begun(whole, known)
    usual = ranges(first)
    graph = copy_graph(whole.graph)
    for node in graph.nodes:
        if node.op == "call_function":
            node.name = f"of_another_format_{node.name}"
    renamed = replace(whole, graph=graph)
    again = begun(renamed, known)
    seen = {node.name: one for node, one in first.recorded.observers.items()}
    assert seen
    assert all(seen[rename(n.name)] is one for n, one in again.recorded.observers.items())
    assert again.judges is first.judges and again.recorded.outputs is first.recorded.outputs
    assert ranges(again) == usual == ranges(begun(renamed, KnownValues()))

    changed = {name: 2 * t if "head" in name else t for name, t in whole.constants.items()}
    other = begun(replace(whole, constants=changed), known)
    there = {node.name: one for node, one in other.recorded.observers.items()}
    (head,) = (node for node in whole.outputs())
    assert there[head.name] is not seen[head.name]
    assert other.judges is not first.judges
    assert ranges(other) == ranges(begun(other.program, KnownValues()))


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
