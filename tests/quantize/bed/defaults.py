"""What people get without us: each runtime's own static int8 recipe, by its documentation.

python -m tests.quantize.bed.defaults onnx vit vit_injected [--count 200]

prints the top-1 of each as JSON. A process is of one runtime: their threads and allocators disturb each other.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgevit.backends.onnx.session import open_runtime, saturates
from tests import ROOT
from tests.quantize.bed import nets
from tests.quantize.bed.digits import accuracy, pictures

Run = Callable[[torch.Tensor], torch.Tensor]  # one picture to its logits
CALIBRATED_ON = 96  # pictures of the training set


def onnx(net: nn.Module, calibration: torch.Tensor, folder: Path) -> Run:
    """Quantise with ONNX Runtime: QDQ, min-max, weights by channel, uint8 activations."""
    from onnxruntime import quantization

    prepared, int8 = _prepared_onnx(net, calibration, folder), folder / "int8.onnx"

    class Reader(quantization.CalibrationDataReader):
        rows = iter(calibration.split(1))

        def get_next(self) -> dict[str, np.ndarray] | None:
            row = next(self.rows, None)
            return None if row is None else {"x": row.numpy()}

    quantization.quantize_static(
        prepared,
        int8,
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=quantization.CalibrationMethod.MinMax,
    )
    return _onnx_run(int8)


def onnx_dynamic(net: nn.Module, calibration: torch.Tensor, folder: Path) -> Run:
    """Quantise with ONNX Runtime: integer products of what is quantised as it comes."""
    from onnxruntime import quantization

    prepared, int8 = _prepared_onnx(net, calibration, folder), folder / "dynamic.onnx"
    quantization.quantize_dynamic(
        prepared, int8, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True
    )
    session = open_runtime(int8, threads=1)
    return lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


def _prepared_onnx(net: nn.Module, calibration: torch.Tensor, folder: Path) -> Path:
    from onnxruntime.quantization.shape_inference import quant_pre_process

    written, prepared = folder / "float.onnx", folder / "prepared.onnx"
    torch.onnx.export(
        net, (calibration[:1],), str(written), dynamo=True, verbose=False, input_names=["x"]
    )
    quant_pre_process(str(written), str(prepared))
    return prepared


def _onnx_run(path: Path) -> Run:
    """Run a file of pairs; on a CPU whose products of bytes saturate, as what the pairs mean, in floats."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if saturates():
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


def tflite(net: nn.Module, calibration: torch.Tensor, folder: Path) -> Run:
    """Quantise with ai-edge-quantizer: static_wi8_ai8."""
    import litert_torch
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    path = str(folder / "float.tflite")
    litert_torch.convert(net, (calibration[:1],)).export(path)
    made = quantizer.Quantizer(path, recipe.static_wi8_ai8())
    rows = [{"args_0": row.numpy()} for row in calibration.split(1)]
    ranges = made.calibrate({"serving_default": rows}, num_threads=1)
    int8 = str(folder / "int8.tflite")
    made.quantize(ranges, enable_progress_report=False).export_model(int8)
    runner = Interpreter(int8, num_threads=1).get_signature_runner("serving_default")
    scale, zero = runner.get_input_details()["args_0"]["quantization"]
    ((name, output),) = runner.get_output_details().items()
    step, middle = output["quantization"]

    def run(x: torch.Tensor) -> torch.Tensor:
        integers = np.clip(np.rint(x.numpy() / scale) + zero, -128, 127).astype(np.int8)
        return torch.from_numpy((runner(args_0=integers)[name].astype(np.float32) - middle) * step)

    return run


def tflite_dynamic(net: nn.Module, calibration: torch.Tensor, folder: Path) -> Run:
    """Quantise with ai-edge-quantizer: dynamic_wi8_afp32."""
    import litert_torch
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    written, int8 = str(folder / "float.tflite"), str(folder / "dynamic.tflite")
    litert_torch.convert(net, (calibration[:1],)).export(written)
    quantizer.Quantizer(written, recipe.dynamic_wi8_afp32()).quantize(
        enable_progress_report=False
    ).export_model(int8)
    runner = Interpreter(int8, num_threads=1).get_signature_runner("serving_default")
    (name,) = runner.get_output_details()
    return lambda x: torch.from_numpy(runner(args_0=x.numpy())[name])


def executorch(net: nn.Module, calibration: torch.Tensor, folder: Path) -> Run:
    """Quantise with torchao's PT2E for XNNPACK: static, symmetric, weights by channel."""
    return _executorch(net, calibration, folder, dynamic=False)


def executorch_dynamic(net: nn.Module, calibration: torch.Tensor, folder: Path) -> Run:
    """Quantise with torchao's PT2E for XNNPACK: linears dynamic, weights by channel."""
    return _executorch(net, calibration, folder, dynamic=True)


def _executorch(net: nn.Module, calibration: torch.Tensor, folder: Path, dynamic: bool) -> Run:
    from executorch.backends.xnnpack.partition.config.xnnpack_config import ConfigPrecisionType
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from executorch.runtime import Runtime
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    example = (calibration[:1],)
    how = XNNPACKQuantizer().set_global(
        get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic)
    )
    prepared = prepare_pt2e(torch.export.export(net, example).module(), how)
    for row in calibration.split(1):
        prepared(row)
    program = torch.export.export(convert_pt2e(prepared), example)
    # Dynamic calls are taken by a partitioner of their own, before the rest.
    taken = [
        XnnpackPartitioner(config_precisions=ConfigPrecisionType.DYNAMIC_QUANT, per_op_mode=True),
        XnnpackPartitioner(),
    ]
    edge = to_edge_transform_and_lower(program, partitioner=taken if dynamic else taken[1:])
    path = folder / "int8.pte"
    path.write_bytes(edge.to_executorch().buffer)
    method = Runtime.get().load_program(path).load_method("forward")
    return lambda x: method.execute([x])[0].clone()


RUNTIMES: dict[str, Callable[[nn.Module, torch.Tensor, Path], Run]] = {
    "onnx": onnx,
    "tflite": tflite,
    "executorch": executorch,
}
DYNAMIC: dict[str, Callable[[nn.Module, torch.Tensor, Path], Run]] = {
    "onnx": onnx_dynamic,
    "tflite": tflite_dynamic,
    "executorch": executorch_dynamic,
}


def top1(runtime: str, spec: str, count: int | None) -> float:
    """Quantise the net that `nets.py:SPEC` builds, and score the file on test pictures."""
    net = getattr(nets, spec)()[0]
    images, labels = pictures("test", count)
    with tempfile.TemporaryDirectory() as folder:
        run = RUNTIMES[runtime](net, pictures("train", CALIBRATED_ON)[0], Path(folder))
        return accuracy(torch.cat([run(image) for image in images.split(1)]), labels)


def in_own_process(runtime: str, specs: list[str], count: int | None = None) -> dict[str, float]:
    """Return the top-1 of each spec, from another process."""
    command = [sys.executable, "-m", "tests.quantize.bed.defaults", runtime, *specs]
    command += ["--count", str(count)] if count else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("specs", nargs="+")
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    scores = {spec: top1(options.runtime, spec, options.count) for spec in options.specs}
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
