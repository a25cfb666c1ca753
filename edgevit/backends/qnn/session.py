"""Session of a compiled context on Qualcomm's emulator of the NPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.backends.onnx import run_session, spec_of
from edgevit.backends.qnn.runtime import open_on_npu
from edgevit.backends.session import Arrays, OpTime
from edgevit.errors import PackageError


def open_session(path: Path, threads: int) -> QnnSession:
    return QnnSession(path)


class QnnSession:
    def __init__(self, path: Path) -> None:
        self._session = _opened(path)
        self.inputs = tuple(spec_of(value) for value in self._session.get_inputs())
        self.outputs = tuple(spec_of(value) for value in self._session.get_outputs())

    def run(self, arrays: Arrays) -> list[Any]:
        return run_session(self._session, self.inputs, arrays)

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """Return nothing: an emulator's times are not the NPU's."""
        return ()


def _opened(path: Path) -> Any:
    context = path.with_name(path.name + ".bin")
    if not context.exists():
        raise PackageError(
            f"there is no {context.name}",
            where=str(context),
            why=f"{path.name} calls the context that is compiled in it",
            hint="keep the two files together, or export again",
        )
    try:
        return open_on_npu(path, {}, {})
    except PackageError:
        raise
    except Exception as error:  # its errors have no common base
        raise PackageError(
            "Qualcomm's runtime does not take this context",
            where=str(path),
            why=str(error).strip().partition("\n")[0][:400],
            hint="the file is damaged or another SDK's: export it again",
        ) from error
