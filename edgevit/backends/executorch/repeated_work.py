"""Work that ExecuTorch repeats: it is done once here, for the time of a lowering.

Each field of each object that it writes as JSON asks for the types of all fields of its class. Each pass checks the
whole program before it and behind it, whether a pass has changed anything since the check before or not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from edgevit.backends.executorch.retraces import content
from edgevit.backends.executorch.tool import module

_HINTS, _MANAGER = "get_type_hints", "ExportedProgramPassManager"


@contextmanager
def repeated_work_skipped() -> Generator[None]:
    writer = module("exir._serialize._dataclass")
    manager = getattr(module("exir.pass_manager"), _MANAGER, None)
    with ExitStack() as stack:
        hints = functools.cache(getattr(writer, _HINTS))
        stack.enter_context(patch.object(writer, _HINTS, hints))
        if manager is not None:  # not in every release
            stack.enter_context(patch.object(manager, "check", _once(manager.check)))
        yield


def _once(check: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Return the check without repeats on a program that is as the last check found it."""
    checked: tuple[object, ...] | None = None

    def check_changed(self: Any, exported: Any) -> None:
        nonlocal checked
        signature = exported.graph_signature
        inputs, outputs = (str(specs) for specs in (signature.input_specs, signature.output_specs))
        now = (
            exported.graph, content(exported.graph), inputs, outputs,
            tuple(exported.state_dict), tuple(exported.constants), tuple(exported.verifiers),
        )  # fmt: skip
        if now != checked:
            check(self, exported)
            checked = now

    return check_changed
