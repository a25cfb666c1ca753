"""Open an artifact on the board in its runtime, run it and time it.

It needs Python 3.9, numpy and the runtime, and nothing of edgevit.

    python3 remote_main.py FORMAT FILE THREADS SECONDS

Requests and answers are lines of JSON on stdin and stdout. A request that takes longer than SECONDS kills this process,
whatever the runtime is doing.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.pop(0)  # this folder: what was sent is opened by name, and never imported

import base64
import importlib
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

Run = Callable[[list[Any]], list[Any]]
Specs = list[dict[str, Any]]


def open_onnx(path: str, threads: int) -> tuple[Specs, Run]:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names: dict[str, str] = {"float": "float32", "double": "float64"}
    specs = []
    for value in session.get_inputs():
        kind: str = value.type.replace("tensor(", "").replace(")", "")
        specs.append(spec(value.name, value.shape, names.get(kind, kind)))
    inputs = [s["name"] for s in specs]
    return specs, lambda arrays: session.run(None, dict(zip(inputs, arrays)))  # noqa: B905


def open_tflite(path: str, threads: int) -> tuple[Specs, Run]:
    maker = first("ai_edge_litert.interpreter", "tflite_runtime.interpreter").Interpreter
    interpreter = maker(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    inputs = interpreter.get_input_details()
    outputs = [detail["index"] for detail in interpreter.get_output_details()]

    def run(arrays: list[Any]) -> list[Any]:
        for detail, array in zip(inputs, arrays):  # noqa: B905 - Python 3.9 has no `strict`
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs]

    return [spec(d["name"], d["shape"], d["dtype"].__name__) for d in inputs], run


def open_executorch(path: str, threads: int) -> tuple[Specs, Run]:
    torch = importlib.import_module("torch")
    library = importlib.import_module("executorch.extension.pybindings.portable_lib")
    library._unsafe_reset_threadpool(threads)
    program = importlib.import_module("executorch.runtime").Runtime.get().load_program(path)
    method = program.load_method("forward")
    facts = [method.metadata.input_tensor_meta(k) for k in range(method.metadata.num_inputs())]
    kinds = {0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 6: "float32", 11: "bool"}
    specs = [
        spec(f"input {k}", f.sizes(), kinds.get(int(f.dtype()), "?")) for k, f in enumerate(facts)
    ]
    return specs, lambda arrays: [
        tensor.numpy() for tensor in method.execute([torch.from_numpy(a) for a in arrays])
    ]


def open_tvm(path: str, threads: int) -> tuple[Specs, Run]:
    os.environ["TVM_NUM_THREADS"] = str(threads)
    tvm = importlib.import_module("tvm")
    relax = importlib.import_module("tvm.relax")
    with open(path + ".json") as file:
        specs = json.load(file)["inputs"]
    main = relax.VirtualMachine(tvm.runtime.load_module(path), tvm.cpu())["main"]

    def flat(result: Any) -> list[Any]:
        return (
            [result.numpy()] if hasattr(result, "numpy") else [x for p in result for x in flat(p)]
        )

    return specs, lambda arrays: flat(main(*(tvm.runtime.tensor(a) for a in arrays)))


def first(*names: str) -> Any:
    for name in names[:-1]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return importlib.import_module(names[-1])


def spec(name: str, shape: Any, dtype: str) -> dict[str, Any]:
    return {"name": name, "shape": [n if isinstance(n, str) else int(n) for n in shape], "dtype": dtype}  # fmt: skip


OPENERS = {
    "onnx": open_onnx,
    "tflite": open_tflite,
    "executorch": open_executorch,
    "tvm": open_tvm,
}


def unpacked(packed: list[dict[str, Any]]) -> list[Any]:
    numpy = importlib.import_module("numpy")
    return [
        numpy.frombuffer(base64.b64decode(p["data"]), p["dtype"]).reshape(p["shape"]).copy()
        for p in packed
    ]


def packed(arrays: list[Any]) -> list[dict[str, Any]]:
    numpy = importlib.import_module("numpy")
    return [
        {
            "dtype": str(a.dtype),
            "shape": list(a.shape),
            "data": base64.b64encode(numpy.ascontiguousarray(a).tobytes()).decode(),
        }
        for a in map(numpy.asarray, arrays)
    ]


class ArtifactServer:
    def __init__(self, format: str, path: str, threads: int) -> None:
        self._open = lambda: OPENERS[format](path, threads)
        self._run: Run = lambda arrays: arrays
        self._arrays: list[Any] = []

    def answer(self, request: dict[str, Any]) -> Any:
        verb = request["do"]
        if verb == "open":
            specs, self._run = self._open()
            return specs
        if verb == "run":
            self._arrays = unpacked(request["arrays"])
            return packed(self._run(self._arrays))
        return [self._timed() for _ in range(request["runs"])]

    def _timed(self) -> float:
        started = time.perf_counter()
        self._run(self._arrays)
        return time.perf_counter() - started


def main() -> None:
    format, path, threads, limit = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what runtimes print must not get between the answers
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    server = ArtifactServer(format, path, int(threads))
    for line in sys.stdin:
        signal.alarm(max(1, round(float(limit))))
        try:
            answer = {"ok": server.answer(json.loads(line))}
        except ModuleNotFoundError as error:
            answer = {"missing": str(error.name)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
        signal.alarm(0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
