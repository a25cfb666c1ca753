"""A failure that names no call is traced to the first call with which it appears."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevit.backends.bisect import beginning, blame_a_call, names_no_call
from edgevit.errors import (
    BackendRuntimeError,
    ConverterError,
    MemoryLimitError,
    PackageError,
    UnsupportedOpError,
)
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.aten import op
from edgevit.graph.parity import distance
from edgevit.graph.program import Program


class Net(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        a = x.relu().sigmoid()
        values, places = torch.topk(a + y, 2)
        spectrum = torch.fft.rfft(a)
        return values.tanh() + places + spectrum.abs().sum()


@pytest.fixture(scope="module")
def program() -> Program:
    inputs = (torch.randn(3, 8), torch.randn(3, 8))
    return capture(ModelSource("tests:net", "net", Net(), inputs, ("x", "y"), "a test", "as built"))


def refuses(*names: str):
    def attempt(program: Program) -> None:
        program.run()
        if any(op(node) in names for node in program.calls()):
            raise PackageError("the runtime does not take this file", why="node 7")

    return attempt


@pytest.mark.parametrize("name", ["relu", "add.Tensor", "topk", "fft_rfft", "tanh", "sum"])
def test_the_call_is_named(program: Program, name: str) -> None:
    told = blame_a_call(program, "tflite", PackageError("no"), refuses(name))
    assert isinstance(told, UnsupportedOpError)
    assert f"TFLite cannot lower `{name}`" in str(told)
    assert "test_bisect.py:" in told.where
    assert "node 7" in told.why and told.hint


def test_the_first_of_several_is_named(program: Program) -> None:
    told = blame_a_call(program, "onnx", PackageError("no"), refuses("tanh", "sigmoid"))
    assert "`sigmoid`" in str(told)


def test_a_beginning_that_fails_in_another_way_is_not_named(program: Program) -> None:
    """A file cut behind `relu` may be one that the converter writes wrong, as no whole file is."""

    def attempt(part: Program) -> None:
        names = [op(node) for node in part.calls()]
        if names[-1] in ("relu", "topk"):
            raise ConverterError("the result has another type")
        refuses("tanh")(part)

    told = blame_a_call(program, "tflite", PackageError("no"), attempt)
    assert "`tanh`" in str(told) and "node 7" in str(told)


def test_a_refusal_by_name_on_the_way_is_told_as_it_is(program: Program) -> None:
    def attempt(_: Program) -> None:
        raise UnsupportedOpError("no such op", where="net.py:1", why="none", hint="another")

    assert str(blame_a_call(program, "onnx", PackageError("no"), attempt)).startswith(
        "error[E0006]: no such op"
    )


def test_what_fails_only_whole_is_no_bug_of_ours(program: Program) -> None:
    error = BackendRuntimeError("it died", why="signal 11")
    told = blame_a_call(program, "onnx", error, lambda _: None)
    assert isinstance(told, UnsupportedOpError)
    assert "signal 11" in told.why and told.where and told.hint


def test_a_slip_of_our_own_lines_is_no_limit_of_the_runtime(program: Program) -> None:
    """An IndexError of the check of held-out inputs was told as "ExecuTorch cannot take this model"."""
    with pytest.raises(TypeError) as ours:
        distance((), 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError) as theirs:
        torch.zeros("x")  # type: ignore[call-overload]
    assert blame_a_call(program, "onnx", ours.value, lambda _: None) is ours.value
    told = blame_a_call(program, "onnx", theirs.value, lambda _: None)
    assert isinstance(told, UnsupportedOpError)


def test_every_beginning_runs(program: Program) -> None:
    for count in range(len(list(program.calls())) + 1):
        part = beginning(program, count)
        if part is not None:
            assert len(part.run()) == len(part.output_names)
            assert len(part.inputs) == len(part.placeholders())


def test_only_failures_without_a_name_are_looked_into() -> None:
    for error in (PackageError("a"), BackendRuntimeError("b"), ConverterError("c"), KeyError("d")):
        assert names_no_call(error)
    for error in (UnsupportedOpError("a"), MemoryLimitError("b")):
        assert not names_no_call(error)
