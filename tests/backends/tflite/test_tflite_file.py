"""The file itself: its names and types, which of its ops XNNPACK takes, and what it costs to open and to time it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.backends.api import Expected, Lowering, backend_of
from edgevit.backends.artifact import Artifact
from edgevit.backends.tflite import profiler, runtime
from edgevit.backends.tflite.flatbuffer import positions_of, read_model
from edgevit.backends.tflite.session import open_session
from edgevit.backends.tflite.supported import blame
from edgevit.errors import InternalError, MissingToolError, PackageError, UnsupportedOpError
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.program import Program
from edgevit.rewrites import engine
from edgevit.targets import load_target

pytest.importorskip("litert_torch", reason="pip install 'edgevit[tflite]'")

X = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))


class Call(nn.Module):
    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(4, 8, 3, padding=1)

    def forward(self, *inputs: torch.Tensor) -> object:
        return self.function(self, *inputs)


def lowered(
    function: Callable[..., object], folder: Path, *inputs: torch.Tensor, precision: str = "fp32"
) -> tuple[ModelSource, Program, Artifact]:
    torch.manual_seed(0)
    names = ("image", "gate")[: len(inputs)]
    source = ModelSource("t:net", "net", Call(function).eval(), inputs, names, "a test", "random")
    program, _ = engine.run(capture(source), backend_of("tflite").rules)
    request = Lowering(program, source, load_target("linux-x86"), precision, folder, lambda _: None)
    return source, program, backend_of("tflite").lower(request)


def test_names_come_through_and_nothing_else_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    function = lambda s, image, gate: {"logits": s.conv(image) * gate, "places": image.argmax(1)}  # noqa: E731
    _, _, artifact = lowered(function, tmp_path, X, torch.tensor(3))
    session = open_session(artifact.path, 1)
    assert [str(spec) for spec in session.inputs] == ["image 1x4x8x8 float32", "gate scalar int32"]
    assert [spec.name for spec in session.outputs] == ["logits", "places"]
    assert artifact.notes == (
        "input `gate` is int32 in the file (int64 in the model)",
        "output `places` is int32 in the file (int64 in the model)",
    )
    assert artifact.details["inputs"] == ["image", "gate"]
    assert set(artifact.versions) == {"litert-torch", "litert-converter", "ai-edge-litert"}
    assert list(tmp_path.iterdir()) == [artifact.path]
    assert b"test_tflite_file" not in artifact.path.read_bytes()  # no source paths in the file
    assert capfd.readouterr() == ("", "")


def test_an_op_outside_of_xnnpack_has_its_line(tmp_path: Path) -> None:
    def function(s: Call, x: torch.Tensor) -> torch.Tensor:
        y = s.conv(x).relu()
        y = y.cumsum(3)
        return s.conv(y[:, :4])

    _, _, artifact = lowered(function, tmp_path, X)
    delegation = artifact.delegation
    assert delegation is not None
    (outside,) = delegation.outside
    assert (outside.op, outside.count) == ("CUMSUM", 1)
    assert "test_tflite_file.py:" in outside.where
    assert outside.bytes == 2 * 8 * 64 * 4 + 4  # a map in, one out, and the number of the axis
    assert delegation.to == "XNNPACK"
    assert delegation.delegates == 2
    assert delegation.ops_inside is not None and delegation.ops_inside >= 3


def test_float16_weights(tmp_path: Path) -> None:
    def function(s: Call, x: torch.Tensor) -> torch.Tensor:
        return s.conv(s.conv(x)[:, :4]).mean((2, 3))

    _, _, full = lowered(function, tmp_path, X)
    weights = full.path.read_bytes()
    source, program, half = lowered(function, tmp_path, X, precision="fp16")
    assert len(weights) - half.path.stat().st_size > 0.8 * 4 * 8 * 9 * 2
    assert half.delegation is not None and half.delegation.outside == ()
    with torch.no_grad():
        expected = Expected(source.inputs, (source.module(X),), program)
    (parity,) = backend_of("tflite").check(half, expected)
    assert parity.passed and parity.precision == "fp16"
    assert parity.distance.rel_l2 > 1e-5  # the weights have been rounded


def test_numbers_that_no_32_bits_hold_are_refused(tmp_path: Path) -> None:
    def function(s: Call, x: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        return s.conv(x) * gate

    with pytest.raises(UnsupportedOpError, match="`gate`"):
        lowered(function, tmp_path, X, torch.tensor(2**40))


def test_places_of_maxima_of_windows_that_overlap_are_refused(tmp_path: Path) -> None:
    def function(s: Call, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.max_pool2d(s.conv(x), 3, 2, return_indices=True)[1]

    with pytest.raises(UnsupportedOpError, match="max_pool2d") as caught:
        lowered(function, tmp_path, X)
    assert "makes up" in caught.value.why
    assert "test_tflite_file.py:" in caught.value.where


def test_the_models_own_constants_stay_as_they_are(tmp_path: Path) -> None:
    mask = torch.zeros(8, 8).masked_fill(torch.ones(8, 8).triu(1).bool(), float("-inf"))

    def function(s: Call, x: torch.Tensor) -> torch.Tensor:
        return (s.conv(x) + mask).softmax(-1)

    _, program, _ = lowered(function, tmp_path, X)
    assert mask.isinf().any()
    assert any(tensor.isinf().any() for tensor in program.constants.values())


def test_a_failure_of_the_passes_names_the_line() -> None:
    source = ModelSource("t:net", "net", nn.ReLU(), (X,), ("x",), "a test", "none")
    program = capture(source)
    told = 'error: loc("relu;"("relu")): \'tfl.relu\' op is not'
    with pytest.raises(UnsupportedOpError, match="`relu`"), blame(program, BytesIO()):
        raise RuntimeError(told)
    with pytest.raises(UnsupportedOpError, match="`relu`"), blame(program, BytesIO(told.encode())):
        raise RuntimeError("Failed to export flatbuffer:")
    with pytest.raises(InternalError, match="litert-torch failed"), blame(program, BytesIO()):
        raise RuntimeError("something else")


def test_bits_of_two_whole_numbers_are_refused(tmp_path: Path) -> None:
    def function(s: Call, x: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        return s.conv(x) * (gate & (gate + 1))

    with pytest.raises(UnsupportedOpError, match="and") as caught:
        lowered(function, tmp_path, X, torch.tensor(2, dtype=torch.int32))
    assert "test_tflite_file.py:" in caught.value.where


def test_an_op_that_the_interpreter_has_no_kernel_for_has_its_line(tmp_path: Path) -> None:
    weight = torch.randn(4, 2, 3, 3, 3)

    def function(s: Call, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv_transpose3d(x[:, :, None], weight, stride=2).relu() + 1

    with pytest.raises(UnsupportedOpError, match="`conv_transpose3d") as caught:
        lowered(function, tmp_path, X)
    assert "STABLEHLO_CONVOLUTION" in caught.value.why
    assert "test_tflite_file.py:" in caught.value.where
    assert not list(tmp_path.iterdir())


def test_tflite_runtime_serves_where_its_successor_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tflite-runtime wants an older numpy and is not installed here: ai-edge-litert's interpreter stands in for it,
    under its name."""
    _, _, artifact = lowered(lambda s, x: s.conv(x), tmp_path, X)
    expected = open_session(artifact.path, 1).run([X.numpy()])[0]
    real = runtime.interpreter_module()
    assert real.__name__ == "ai_edge_litert.interpreter"
    package, stand_in = ModuleType("tflite_runtime"), ModuleType("tflite_runtime.interpreter")
    stand_in.Interpreter = real.Interpreter  # type: ignore[attr-defined]
    for name in [name for name in sys.modules if name.partition(".")[0] == "ai_edge_litert"]:
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "tflite_runtime", package)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", stand_in)
    assert runtime.interpreter_module() is stand_in
    np.testing.assert_array_equal(open_session(artifact.path, 1).run([X.numpy()])[0], expected)

    monkeypatch.setitem(sys.modules, "tflite_runtime", None)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)  # type: ignore[arg-type]
    with pytest.raises(MissingToolError) as caught:
        open_session(artifact.path, 1)
    assert "edgevit[tflite]" in caught.value.hint


def test_ops_are_timed_inside_the_delegate_and_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, artifact = lowered(lambda s, x: s.conv(x).cumsum(3), tmp_path, X)
    session = open_session(artifact.path, 2)
    times = session.op_times([X.numpy()], 5)
    units = [time.unit for time in times]
    assert set(units) == {"XNNPACK", "TFLite kernels"}
    assert any("Convolution" in time.op for time in times if time.unit == "XNNPACK")
    (sum_,) = [time for time in times if time.unit == "TFLite kernels"]
    assert sum_.op == "CUMSUM"
    assert sum_.place
    assert 0 < sum(time.seconds for time in times) < 1
    monkeypatch.setattr(
        profiler, "_RELEASE", "1."
    )  # events of another release are laid out otherwise
    assert session.op_times([X.numpy()], 5) == ()


def test_a_file_without_its_last_bytes(tmp_path: Path) -> None:
    _, _, artifact = lowered(lambda s, x: s.conv(x), tmp_path, X)
    data = artifact.path.read_bytes()
    for cut in (1, 16, 100):
        artifact.path.write_bytes(data[:-cut])
        with pytest.raises(PackageError):
            open_session(artifact.path, 1)


def _pools_with_weights(s: Call, x: torch.Tensor) -> torch.Tensor:
    places = s.conv(x).flatten(2)
    mean = places @ places.mean(1, keepdim=True).softmax(-1).mT
    return s.conv(x) * mean.unsqueeze(3)


def _maps_one_pixel(s: Call, x: torch.Tensor) -> torch.Tensor:
    pixel = s.conv(x).mean((2, 3), keepdim=True).permute(0, 2, 3, 1)
    image = F.linear(pixel, s.conv.weight.flatten(1)[:, :8], s.conv.bias).permute(0, 3, 1, 2)
    return image * image.amax(1, keepdim=True)


@pytest.mark.parametrize("function", [_pools_with_weights, _maps_one_pixel])
def test_a_product_that_becomes_an_image_of_one_pixel_leaves_no_fence(
    function: Callable[..., object], tmp_path: Path
) -> None:
    source, _, artifact = lowered(function, tmp_path, X)
    expected = source.module(X).detach().numpy()
    returned = open_session(artifact.path, 1).run([X.numpy()])[0]
    np.testing.assert_allclose(returned, expected, rtol=1e-4, atol=1e-6)
    model = read_model(artifact.path)
    floors = positions_of(model, "FLOOR")
    assert floors.isdisjoint(op.opcodeIndex for op in model.subgraphs[0].operators)
