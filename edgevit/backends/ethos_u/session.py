"""Session of a compiled net by its golden model, in LiteRT's reference kernels.

The NPU computes bit for bit what these kernels do: Vela is held to it by its makers. Nothing here runs a
command stream, so the file is checked for damage, and for being of the same net.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.ethos_u.command_stream import ENDING, golden_of, read_compiled
from edgevit.backends.session import Arrays, OpTime, TensorSpec
from edgevit.backends.tflite import interpreter_module, open_interpreter
from edgevit.errors import PackageError


def open_session(path: Path, threads: int) -> EthosSession:
    return EthosSession(path)


class EthosSession:
    """Session that takes and returns floats, which calling code converts for the board."""

    def __init__(self, path: Path) -> None:
        self._interpreter = open_golden(path)
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        self.inputs = tuple(map(_spec, self._inputs))
        self.outputs = tuple(map(_spec, self._outputs))

    def run(self, arrays: Arrays) -> list[Any]:
        _, outputs = self.integers(arrays)
        return [_real(array, one) for array, one in zip(outputs, self._outputs, strict=True)]

    def integers(self, arrays: Arrays) -> tuple[list[Any], list[Any]]:
        """Return what the file takes for these floats, and what it returns."""
        pairs = zip(arrays, self._inputs, strict=True)
        inputs = [_quantized(array, detail) for array, detail in pairs]
        for detail, array in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(detail["index"], array)
        self._interpreter.invoke()
        return inputs, [self._interpreter.get_tensor(one["index"]) for one in self._outputs]

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """Return nothing: the times of reference kernels are not the NPU's."""
        return ()


def open_golden(path: Path) -> Any:
    """Open the golden model of a compiled file in the reference kernels."""
    compiled = read_compiled(path)
    golden = golden_of(path)
    is_named = path.name.endswith(ENDING)
    if not is_named or not golden.exists():
        raise PackageError(
            f"there is no {golden.name}" if is_named else f"{path.name} is no compiled file",
            where=str(golden if is_named else path),
            why=f"a compiled file NAME{ENDING} is checked by its golden model NAME.tflite",
            hint="keep the two files together, or export again",
        )
    kernels = interpreter_module().OpResolverType.BUILTIN_REF
    interpreter = open_interpreter(golden, 1, experimental_op_resolver_type=kernels)
    shapes = tuple(
        tuple(tuple(map(int, one["shape"])) for one in details)
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    if shapes != (compiled.inputs, compiled.outputs):
        raise PackageError(
            f"{path.name} and {golden.name} are not of the same net",
            where=str(path),
            why=f"inputs and outputs: {compiled.inputs}, {compiled.outputs} and {shapes[0]}, {shapes[1]}",
            hint="export it again",
        )
    return interpreter


def _spec(detail: dict[str, Any]) -> TensorSpec:
    dtype = "float32" if _is_quantized(detail) else np.dtype(detail["dtype"]).name
    return TensorSpec(detail["name"], tuple(map(int, detail["shape"])), dtype)


def _is_quantized(detail: dict[str, Any]) -> bool:
    return np.dtype(detail["dtype"]) == np.int8 and detail["quantization"][0] > 0


def _quantized(array: Any, detail: dict[str, Any]) -> Any:
    if not _is_quantized(detail):
        return array.astype(detail["dtype"])  # the file takes PyTorch's int64 as int32
    scale, zero = detail["quantization"]
    return np.clip(np.rint(array / scale) + zero, -128, 127).astype(np.int8)


def _real(array: Any, detail: dict[str, Any]) -> Any:
    if not _is_quantized(detail):
        return array
    scale, zero = detail["quantization"]
    return ((array.astype(np.float32) - zero) * np.float32(scale)).astype(np.float32)
