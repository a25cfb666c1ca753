"""Session of a TFLite file in its interpreter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.session import Arrays, OpTime, TensorSpec
from edgevit.backends.tflite.profiler import Ran, available, profile
from edgevit.backends.tflite.runtime import open_interpreter


def open_session(path: Path, threads: int) -> TFLiteSession:
    return TFLiteSession(path, threads)


class TFLiteSession:
    """Session whose inputs and outputs are in the file's own order.

    A signature only names them: it is a dictionary, and its order carries no meaning.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._threads = path, threads
        self._interpreter = open_interpreter(path, threads)
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        self._places = [detail["index"] for detail in inputs]
        self._results = [detail["index"] for detail in outputs]
        self.inputs = _specs(inputs, self._names("inputs"))
        self.outputs = _specs(outputs, self._names("outputs"))

    def run(self, arrays: Arrays) -> list[Any]:
        for place, array in zip(self._places, arrays, strict=True):
            self._interpreter.set_tensor(place, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(result) for result in self._results]

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """Return the time of each op by LiteRT's profiler, which sees the ops inside the delegate.

        Its clock has microsecond ticks, so more runs make the means finer. The result is empty if
        there is no such profiler, as in tflite-runtime.
        """
        if not available():
            return ()
        runs = profile(self._path, self._threads, arrays, repeats)
        if len({tuple(ran.op for ran in run) for run in runs}) != 1:
            return ()  # control flow: the runs are not of the same ops
        return tuple(self._mean(position) for position in zip(*runs, strict=True))

    def _mean(self, one: Sequence[Ran]) -> OpTime:
        first, seconds = one[0], sum(ran.seconds for ran in one) / len(one)
        if first.delegated:
            return OpTime(first.op, "", "XNNPACK", seconds)
        outputs = self._interpreter._get_op_details(first.index)["outputs"]
        return OpTime(first.op, self._tensor_name(outputs), "TFLite kernels", seconds)

    def _tensor_name(self, indices: Sequence[int]) -> str:
        details = self._interpreter.get_tensor_details()
        named = {detail["index"]: detail["name"] for detail in details}
        return next((named[index] for index in indices if index in named), "")

    def _names(self, side: str) -> dict[int, list[str]]:
        """Return the signature's names by tensor; one tensor may be several outputs."""
        names: dict[int, list[str]] = defaultdict(list)
        for signature in self._interpreter._get_full_signature_list().values():
            for name, index in signature[side].items():
                names[index].append(name)
        return names


def _specs(details: list[dict[str, Any]], names: dict[int, list[str]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            names[detail["index"]].pop(0) if names[detail["index"]] else detail["name"],
            tuple(int(extent) for extent in detail["shape"]),
            np.dtype(detail["dtype"]).name,
        )
        for detail in details
    )
