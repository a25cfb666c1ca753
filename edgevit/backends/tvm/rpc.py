"""Library on a board: sent through TVM's RPC tracker, run and timed there.

On the board: `python -m tvm.exec.rpc_server --tracker HOST:PORT --key KEY`.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from edgevit.backends.session import Arrays, OpTime, load_library
from edgevit.backends.tvm.session import flat, specs
from edgevit.errors import BackendRuntimeError

CONNECT = 10  # seconds for the tracker to answer
WAIT = 60  # seconds for a board to be free


class RemoteSession:
    """Counterpart of `TvmSession` on the other side of a tracker."""

    def __init__(self, path: Path, host: str, port: int, key: str) -> None:
        tvm = load_library("tvm", "tvm")
        rpc, relax = load_library("tvm.rpc", "tvm"), load_library("tvm.relax", "tvm")
        self._tensor = tvm.runtime.tensor
        self.inputs, self.outputs = specs(path)
        try:
            socket.create_connection((host, port), CONNECT).close()  # TVM's own try takes a minute
            remote = rpc.connect_tracker(host, port).request(key, session_timeout=WAIT)
            remote.upload(str(path))
            self._device = remote.cpu()
            self._machine = relax.VirtualMachine(remote.load_module(path.name), self._device)
        except Exception as error:
            raise BackendRuntimeError(
                f"no board answers to `{key}`",
                where=f"{host}:{port}",
                why=f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"[:400],
                hint="is the tracker up, and a server registered with that key?",
            ) from error

    def run(self, arrays: Arrays) -> list[Any]:
        self._machine.set_input("main", *(self._tensor(a, self._device) for a in arrays))
        self._machine.invoke_stateful("main")
        return [tensor.numpy() for tensor in flat(self._machine.get_outputs("main"))]

    def seconds(self, arrays: Arrays, repeats: int) -> list[float]:
        """Return the time of each run, by the board's own clock."""
        self.run(arrays)
        evaluate = self._machine.time_evaluator(
            "invoke_stateful", self._device, number=1, repeat=repeats
        )
        return list(evaluate("main").results)

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        raise BackendRuntimeError(
            "TVM's RPC does not report the times of single ops",
            hint="profile on the board itself: run.py, or `edgevit profile` there",
        )
