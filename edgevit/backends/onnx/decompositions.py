"""Conversion to ONNX without torch's decomposition where onnxscript has a function for every operator.

The decomposition then traces the whole graph anew, for more than half of the conversion, and leaves
the calls as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from torch.export import ExportedProgram
from torch.onnx._internal.exporter import _decomp, _fx_passes

_PASS = "decompose_with_registry"


@contextmanager
def needless_decomposition_skipped() -> Iterator[None]:
    decompose = getattr(_fx_passes, _PASS, None)  # not in every release of torch
    if decompose is None:
        yield
        return
    with patch.object(_fx_passes, _PASS, _where_needed(decompose)):
        yield


def _where_needed(
    decompose: Callable[[ExportedProgram, Any], ExportedProgram],
) -> Callable[[ExportedProgram, Any], ExportedProgram]:
    def decomposed(exported: ExportedProgram, registry: Any) -> ExportedProgram:
        functions = set(_decomp.get_onnx_implemented_overloads(registry))
        calls = (node for node in exported.graph.nodes if node.op == "call_function")
        if all(node.target in functions for node in calls):
            return exported
        return decompose(exported, registry)

    return decomposed
