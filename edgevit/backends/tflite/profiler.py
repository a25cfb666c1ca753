"""Time of each op by LiteRT's own profiler, through the C interface of its library.

The library is in the ai-edge-litert wheel, whose Python classes do not reach the profiler. It is
the interpreter's own runtime behind another interface (`CompiledModel`), with the same kernels, the
same delegate and the requested number of threads. The layout of an event is that of release 2.3;
for any other release the table stays empty rather than wrong.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.errors import BackendRuntimeError, report_it

_RELEASE = "2.3."
_CPU = 1
_INTERPRETER_OP, _INSIDE_DELEGATE, _DELEGATE_OP = 2, 4, 8  # kinds of events
_WRITE = 1  # mode of a lock
_TYPE_BYTES = 1024  # a tensor type takes far less


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_uint64 * 6),
        ("metadata", ctypes.c_uint64 * 2),
        ("source", ctypes.c_int),
    )


@dataclass(frozen=True)
class Ran:
    """Execution of one op in one run."""

    op: str
    delegated: bool
    index: int  # of the node in the file, or of the op in its delegate
    seconds: float


def available() -> bool:
    try:
        return version("ai-edge-litert").startswith(_RELEASE) and _library().is_file()
    except PackageNotFoundError:
        return False


def profile(
    path: Path, threads: int, arrays: Sequence[np.ndarray], repeats: int
) -> list[list[Ran]]:
    """Return the ops of each run in order, without the first run, which allocates."""
    with ExitStack() as stack:
        model = stack.enter_context(_compiled(path, threads))
        model.write(arrays)
        runs = [model.run() for _ in range(repeats + 1)]
    return runs[1:]


def _library() -> Path:
    spec = find_spec("ai_edge_litert")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0] if places else "") / "libLiteRt.so"


class _Calls:
    """Callable library:

    `call("Name", ...)` calls `LiteRtName`, and raises the status it returns.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(_library()))

    def __call__(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, f"LiteRt{name}")(*arguments)
        if status:
            raise BackendRuntimeError(
                "LiteRT cannot profile this file",
                why=f"LiteRt{name} answers status {status}",
                hint=f"leave the table of ops out, and {report_it()}",
            )

    def make(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Call a function and return the pointer that it writes through its last argument."""
        handle = ctypes.c_void_p()
        self(name, *arguments, ctypes.byref(handle))
        return handle

    def count(self, name: str, *arguments: Any) -> int:
        number = ctypes.c_size_t()
        self(name, *arguments, ctypes.byref(number))
        return number.value

    def destroy(self, what: str, handle: ctypes.c_void_p) -> None:
        destroy = getattr(self._library, f"LiteRtDestroy{what}")
        destroy.restype = None
        destroy(handle)


@contextmanager
def _compiled(path: Path, threads: int) -> Iterator[_Model]:
    call = _Calls()
    with ExitStack() as stack:

        def owned(what: str, handle: ctypes.c_void_p) -> ctypes.c_void_p:
            stack.callback(call.destroy, what, handle)
            return handle

        environment = owned("Environment", call.make("CreateEnvironment", 0, None))
        name = str(path).encode()
        model = owned("Model", call.make("CreateModelFromFile", environment, name))
        options = owned("Options", call.make("CreateOptions"))
        call("SetOptionsHardwareAccelerators", options, _CPU)
        _set(call, options, "xnnpack", f"num_threads = {max(threads, 1)}\n")
        _set(call, options, "runtime_options_string", "enable_profiling = true\n")
        compiled = call.make("CreateCompiledModel", environment, model, options)
        owned("CompiledModel", compiled)
        index = call.count("GetMainModelSubgraphIndex", model)
        subgraph = call.make("GetModelSubgraph", model, ctypes.c_size_t(index))
        sides = []
        for side in ("Input", "Output"):
            buffers = _buffers(call, environment, compiled, subgraph, side)
            sides.append([owned("TensorBuffer", buffer) for buffer in buffers])
        yield _Model(call, compiled, *sides)


def _set(call: _Calls, options: ctypes.c_void_p, group: str, text: str) -> None:
    """Add options given as text.

    The library frees the text itself, and needs it on the C heap.
    """
    c = ctypes.CDLL(None)
    c.strdup.restype = ctypes.c_void_p
    payload = ctypes.c_void_p(c.strdup(text.encode()))
    free = ctypes.cast(c.free, ctypes.c_void_p)
    call(
        "AddOpaqueOptions", options, call.make("CreateOpaqueOptions", group.encode(), payload, free)
    )


def _buffers(
    call: _Calls,
    environment: ctypes.c_void_p,
    compiled: ctypes.c_void_p,
    subgraph: ctypes.c_void_p,
    side: str,
) -> Iterator[ctypes.c_void_p]:
    for position in range(call.count(f"GetNumSubgraph{side}s", subgraph)):
        place = ctypes.c_size_t(position)
        kind = ctypes.create_string_buffer(_TYPE_BYTES)
        call("GetRankedTensorType", call.make(f"GetSubgraph{side}", subgraph, place), kind)
        needs = call.make(
            f"GetCompiledModel{side}BufferRequirements", compiled, ctypes.c_size_t(0), place
        )
        yield call.make("CreateManagedTensorBufferFromRequirements", environment, kind, needs)


class _Model:
    def __init__(
        self,
        call: _Calls,
        compiled: ctypes.c_void_p,
        inputs: list[ctypes.c_void_p],
        outputs: list[ctypes.c_void_p],
    ) -> None:
        self._call, self._compiled = call, compiled
        self._inputs = (ctypes.c_void_p * len(inputs))(*inputs)
        self._outputs = (ctypes.c_void_p * len(outputs))(*outputs)
        self._profiler = call.make("CompiledModelGetProfiler", compiled)

    def write(self, arrays: Sequence[np.ndarray]) -> None:
        for buffer, array in zip(self._inputs, arrays, strict=True):
            handle, dense = ctypes.c_void_p(buffer), np.ascontiguousarray(array)
            memory = ctypes.c_void_p()
            self._call("LockTensorBuffer", handle, ctypes.byref(memory), _WRITE)
            ctypes.memmove(memory, dense.ctypes.data, dense.nbytes)
            self._call("UnlockTensorBuffer", handle)

    def run(self) -> list[Ran]:
        self._call("ResetProfiler", self._profiler)
        self._call("StartProfiler", self._profiler)
        self._call(
            "RunCompiledModel",
            self._compiled,
            ctypes.c_size_t(0),
            ctypes.c_size_t(len(self._inputs)),
            self._inputs,
            ctypes.c_size_t(len(self._outputs)),
            self._outputs,
        )
        self._call("StopProfiler", self._profiler)
        return [_ran(event) for event in self._events() if _is_op(event)]

    def _events(self) -> Iterable[_Event]:
        count = ctypes.c_int()
        self._call("GetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (_Event * count.value)()
        self._call("GetProfilerEvents", self._profiler, count, events)
        return events


def _is_op(event: _Event) -> bool:
    """Return whether the event is an op; a delegate as a whole is not.

    The events of a delegate's parts are counted instead.
    """
    whole = event.kind == _INTERPRETER_OP and b"elegate" in (event.tag or b"")
    return event.kind in (_INTERPRETER_OP, _INSIDE_DELEGATE, _DELEGATE_OP) and not whole


def _ran(event: _Event) -> Ran:
    return Ran(
        (event.tag or b"").decode(errors="replace"),
        event.kind != _INTERPRETER_OP,
        int(event.metadata[0]),
        event.elapsed_us * 1e-6,
    )
