"""Session of a .pte in ExecuTorch's own runtime."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

from edgevit.backends.executorch.runtime_alone import runtime
from edgevit.backends.executorch.status import explained
from edgevit.backends.executorch.tool import module, quiet
from edgevit.backends.session import Arrays, OpTime, TensorSpec
from edgevit.errors import BackendRuntimeError, PackageError, report_it

_MAGIC = b"ET12"  # of the flatbuffer, from byte 4
_DTYPES = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
    11: "bool",
}


def open_session(path: Path, threads: int) -> ExecuTorchSession:
    return ExecuTorchSession(path, threads)


class ExecuTorchSession:
    def __init__(self, path: Path, threads: int, method: str = "forward") -> None:
        self._path = path
        programs = runtime().Runtime
        library = module("extension.pybindings.portable_lib")
        _require_magic(path)
        library._unsafe_reset_threadpool(threads)
        try:
            self._program = programs.get().load_program(str(path))
            self._method = self._program.load_method(method)
        except Exception as error:
            raise _unsound(path, str(error)) from error
        facts = self._method.metadata
        self.inputs = tuple(
            _spec(f"input {k}", facts.input_tensor_meta(k)) for k in range(facts.num_inputs())
        )
        self.outputs = tuple(
            _spec(f"output {k}", facts.output_tensor_meta(k)) for k in range(facts.num_outputs())
        )

    def run(self, arrays: Arrays) -> list[Any]:
        try:
            outputs = self._method.execute([torch.from_numpy(a) for a in arrays])
        except RuntimeError as error:
            raise BackendRuntimeError(
                "ExecuTorch cannot run this file",
                where=str(self._path),
                why=_cause(str(error)),
                hint=f"export it again; if it fails again, {report_it()}",
            ) from error
        return [tensor.numpy() for tensor in outputs]

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """Return the time of each op.

        XNNPACK itself reports the ops of a delegate. The remaining time of the delegate's call is a
        separate entry.
        """
        library = module("extension.pybindings.portable_lib")
        tensors = [torch.from_numpy(a) for a in arrays]
        program = library._load_for_executorch(str(self._path), enable_etdump=True)
        for _ in range(repeats):
            program.forward(tensors)
        with tempfile.TemporaryDirectory() as folder, quiet():
            dump = str(Path(folder) / "times.etdp")
            program.write_etdump_result_to_file(dump)
            blocks = module("devtools").Inspector(etdump_path=dump).event_blocks
        times: dict[tuple[str, str, str], float] = defaultdict(float)
        for block in blocks:
            if block.name == "Execute":
                for row, event in enumerate(block.events):
                    _add(times, row, event)
        return tuple(OpTime(*key[:2], key[2], seconds) for key, seconds in times.items())


def _add(times: dict[tuple[str, str, str], float], row: int, event: Any) -> None:
    if event.perf_data is None or event.name in _CONTAINERS:
        return
    unit = "XNNPACK" if event.is_delegated_op else "portable kernels"
    times[event.name, f"#{row}", unit] += event.perf_data.avg * 1e-3  # milliseconds


_CONTAINERS = frozenset({"Method::execute", "DELEGATE_CALL", "Method::init", "OPERATOR_CALL"})


def _require_magic(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:8] != _MAGIC:
        raise _unsound(path, f"{path.stat().st_size} bytes, without the mark of a .pte")


def _unsound(path: Path, why: str) -> PackageError:
    return PackageError(
        "ExecuTorch does not take this file",
        where=str(path),
        why=_cause(why),
        hint="the file is damaged or not a .pte: export it again",
    )


def _cause(said: str) -> str:
    return explained(said.strip().partition("\n")[0][:400])


def _spec(name: str, facts: Any) -> TensorSpec:
    code = int(facts.dtype())
    return TensorSpec(name, tuple(facts.sizes()), _DTYPES.get(code, f"type {code}"))
