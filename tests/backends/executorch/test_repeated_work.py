"""ExecuTorch checks a program again only where it has changed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from edgevit.backends.executorch.repeated_work import repeated_work_skipped

managers = pytest.importorskip("executorch.exir.pass_manager")


class Net(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sin() + x.cos()


def test_a_program_is_checked_where_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = torch.export.export(Net(), (torch.rand(6),))
    checked: list[Any] = []
    kind = managers.ExportedProgramPassManager
    monkeypatch.setattr(kind, "check", lambda self, program: checked.append(program))
    with repeated_work_skipped():
        manager = kind([])
        manager.check(exported)
        manager.check(exported)
        assert len(checked) == 1
        call = next(node for node in exported.graph.nodes if node.op == "call_function")
        call.target = torch.ops.aten.tan.default
        manager.check(exported)
        assert len(checked) == 2
        exported.graph_signature.input_specs[0].arg.name = "y"
        manager.check(exported)
        assert len(checked) == 3
    manager.check(exported)
    assert len(checked) == 4
