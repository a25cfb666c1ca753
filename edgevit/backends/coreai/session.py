"""Session of an asset in Apple's runtime.

Off macOS 27 the runtime compiles the asset for a reference executor, which is slow and exact.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.coreai.tool import module
from edgevit.backends.session import Arrays, OpTime, TensorSpec
from edgevit.errors import PackageError

FUNCTION = "main"
_CALL = "call.coreai."  # of the profiler's events: an operation of the program


def open_session(path: Path, threads: int) -> CoreAISession:
    """Open the asset; its runtime chooses its threads itself."""
    return CoreAISession(path)


class CoreAISession:
    def __init__(self, path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._array = module("coreai.runtime").NDArray
        try:
            asset = module("coreai.authoring").AIModelAsset.load(path)
            self._model, self._function = self._wait(_loaded(asset))
        except Exception as error:  # its errors have no common base
            raise _unsound(path, str(error)) from error
        facts = self._function.desc
        self.inputs = tuple(_spec(n, facts.input_descriptor(n)) for n in facts.input_names)
        self.outputs = tuple(_spec(n, facts.output_descriptor(n)) for n in facts.output_names)

    def run(self, arrays: Arrays) -> list[Any]:
        results = self._wait(self._function(self._feeds(arrays)))
        return [np.array(results[spec.name].numpy()) for spec in self.outputs]

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """Return the time of each call of the reference executor, which says nothing about a phone."""
        starts: list[tuple[str, int]] = []
        spent: list[tuple[str, float]] = []

        def begin(event: Any) -> int:
            starts.append((event.event_id, event.timestamp))
            return len(starts) - 1

        def end(event: Any, number: int) -> None:
            name, start = starts[number]
            spent.append((name, (event.timestamp - start) * 1e-9))

        profiler = module("coreai.runtime").Profiler(on_log_event_begin=begin, on_log_event_end=end)
        timed = self._model.load_function(FUNCTION, profiler=profiler)
        for _ in range(repeats):
            self._wait(timed(self._feeds(arrays)))
        return _mean_times(spent, repeats)

    def _feeds(self, arrays: Arrays) -> dict[str, Any]:
        return {
            spec.name: self._array(np.asarray(array, order="C"))
            for spec, array in zip(self.inputs, arrays, strict=True)
        }

    def _wait(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)


async def _loaded(asset: Any) -> tuple[Any, Any]:
    """Return the compiled model and its function. What was compiled to disk is removed again."""
    async with asset.executable() as model:
        return model, model.load_function(FUNCTION)


def _mean_times(spent: list[tuple[str, float]], repeats: int) -> tuple[OpTime, ...]:
    """Return one entry per call of a run: the runs make the same calls in the same order."""
    calls = [(name, seconds) for name, seconds in spent if name.startswith(_CALL)]
    each = len(calls) // repeats
    return tuple(
        OpTime(
            calls[k][0].removeprefix(_CALL),
            f"#{k}",
            "reference executor",
            sum(seconds for _, seconds in calls[k::each]) / repeats,
        )
        for k in range(each)
    )


def _spec(name: str, facts: Any) -> TensorSpec:
    return TensorSpec(name, tuple(facts.shape), str(facts.dtype))


def _unsound(path: Path, why: str) -> PackageError:
    return PackageError(
        "Core AI does not take this asset",
        where=str(path),
        why=why.strip().partition("\n")[0][:400] or "its runtime gives no reason",
        hint="the asset is damaged or not an .aimodel: export it again",
    )
