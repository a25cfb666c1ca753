"""Models of quantisation-aware training keep the scales that they were trained with."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn
from torch.ao import quantization

from edgevit import export
from edgevit.errors import CaptureError
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.quantize.calibration import Calibration
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.run import quantize_program
from edgevit.quantize.scheme import QuantScheme
from edgevit.rewrites import engine
from edgevit.rewrites.standard import STANDARD

SHAPE = (1, 3, 8, 8)


class Net(nn.Module):
    """Convolutions with and without a fused ReLU, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.quant = quantization.QuantStub()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(self.quant(x)).relu()
        return self.head(self.second(x).mean((2, 3)))


def trained(observing: bool = False) -> nn.Module:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = Net().train()
        quantization.fuse_modules_qat(net, [["second.0", "second.1"]], inplace=True)
        net.qconfig = quantization.get_default_qat_qconfig("x86")  # type: ignore[assignment]
        net = quantization.prepare_qat(net)
        for _ in range(4):
            net(torch.rand(4, *SHAPE[1:]))
    net.eval()
    return net if observing else net.apply(quantization.disable_observer)


def seen() -> Calibration:
    """Return inputs like those of the training."""
    torch.manual_seed(1)
    return Calibration(tuple((torch.rand(SHAPE),) for _ in range(8)), "seen")


def scales_of(net: nn.Module, kind: str) -> list[torch.Tensor]:
    return [
        module.scale
        for name, module in net.named_modules()
        if isinstance(module, quantization.FakeQuantize) and name.endswith(kind)
    ]


def source(net: nn.Module) -> ModelSource:
    return ModelSource("qat", "qat", net, (torch.rand(SHAPE),), ("x",), "test", "test")


@pytest.mark.parametrize("activations", ["int8", "uint8"])
def test_the_simulation_has_the_scales_and_the_weights_of_training(activations: str) -> None:
    net = trained()
    program, _ = engine.run(capture(source(net)), STANDARD)
    assert torch.equal(program.run()[0], net(*program.inputs))
    found = quantize_program(program, seen(), QuantScheme(activations))
    used = {grid.scale for grid in found.encodings.values()}
    assert {float(scale) for scale in scales_of(net, "activation_post_process")} <= used
    weights = [weight.scales for weight in found.weights.values()]
    for scale, weight in zip(scales_of(net, "weight_fake_quant"), weights, strict=True):
        assert torch.equal(scale, weight)
    assert found.report.held_out_snr > 30


def onnx_scales(path: Path) -> set[float]:
    graph = onnx.load(path).graph
    tables = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    read = (node.input[1] for node in graph.node if node.op_type == "DequantizeLinear")
    return {float(number) for name in read for number in np.ravel(tables[name])}


def tflite_scales(path: Path) -> set[float]:
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(str(path)).get_tensor_details()
    return {float(s) for one in details for s in one["quantization_parameters"]["scales"]}


@pytest.mark.parametrize(("format", "stored"), [("onnx", onnx_scales), ("tflite", tflite_scales)])
def test_the_file_has_the_scales_of_training(
    format: str, stored: Callable[[Path], set[float]], tmp_path: Path
) -> None:
    net = trained()
    np.save(tmp_path / "seen.npy", np.concatenate([run[0].numpy() for run in seen().inputs]))
    result = export(
        net,
        (torch.rand(SHAPE),),
        target="linux-x86",
        format=format,
        precision="int8",
        calibration=CalibrationOptions(str(tmp_path / "seen.npy")),
        output=tmp_path / "out",
    )
    assert result.passed
    scales = scales_of(net, "activation_post_process") + scales_of(net, "weight_fake_quant")
    wanted = {float(number) for scale in scales for number in scale.ravel()}
    assert wanted <= stored(next((tmp_path / "out").glob(f"*.{format}")))


def test_observers_that_are_on_are_refused() -> None:
    with pytest.raises(CaptureError, match="still on") as refusal:
        capture(source(trained(observing=True)))
    assert "disable_observer" in str(refusal.value.hint)
