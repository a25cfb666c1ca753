"""What torch does for every pass is done once, and the program is the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # pyright: ignore[reportUnusedImport]  # registers its operators
from torch import fx, nn
from torch._export import utils
from torch._subclasses import FakeTensorMode
from torch.fx import traceback
from torch.utils._traceback import CapturedTraceback

from edgevit.graph.cheaper_passes import cheaper_passes, no_stack_traces


class Attention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(x, x, x).relu()


def test_the_dispatcher_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = torch.export.export(Attention().eval(), (torch.randn(1, 2, 4, 8),))
    usual = [str(node.target) for node in exported.run_decompositions().graph.nodes]
    listing, asked = utils._materialize_cpp_cia_ops, []
    monkeypatch.setattr(utils, "_materialize_cpp_cia_ops", lambda: (asked.append(1), listing())[1])
    counted = utils._materialize_cpp_cia_ops
    with cheaper_passes():
        programs = [exported.run_decompositions() for _ in range(2)]
    assert len(asked) == 1
    assert utils._materialize_cpp_cia_ops is counted
    for program in programs:
        assert [str(node.target) for node in program.graph.nodes] == usual


def test_histories_are_shared_inside_only() -> None:
    exported = torch.export.export(Attention().eval(), (torch.randn(1, 2, 4, 8),))
    node = next(n for n in exported.graph.nodes if n.op == "call_function")
    history = traceback.NodeSource(node, "a pass")
    with cheaper_passes():
        assert copy.deepcopy([history])[0] is history
    assert copy.deepcopy([history])[0] is not history


def test_a_graph_is_compiled_when_its_code_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = torch.export.export(Attention().eval(), (torch.randn(1, 2, 4, 8),))
    x = torch.randn(1, 2, 4, 8)
    usual, compiled = fx.GraphModule.recompile, []
    monkeypatch.setattr(
        fx.GraphModule, "recompile", lambda self: (compiled.append(1), usual(self))[1]
    )
    with cheaper_passes():
        module = fx.GraphModule(exported.module(), exported.module().graph)
        compiled.clear()
        module.recompile()
        copied = copy.deepcopy(module)
        assert not compiled
        first = module(x)
        assert len(compiled) == 1
        assert torch.equal(module.forward(x), first)
        assert len(compiled) == 1
        (relu,) = [node for node in module.graph.nodes if "relu" in str(node.target)]
        relu.target = torch.ops.aten.neg.default
        module.recompile()
        assert "neg" in module.code
        assert torch.equal((-module(x)).relu(), first)
    assert torch.equal(copied(x), first)
    assert "relu" in copied.code


def test_nothing_is_compiled_later_outside() -> None:
    with cheaper_passes():
        pass
    module = fx.symbolic_trace(Attention())
    assert "forward" in vars(type(module))
    assert callable(vars(type(module))["forward"])


def test_no_stack_is_taken_inside_and_those_of_the_model_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported = torch.export.export(Attention().eval(), (torch.randn(1, 2, 4, 8),))
    stacks = {node.stack_trace for node in exported.graph.nodes} - {None}
    taken: list[int] = []

    class Counting(CapturedTraceback):
        @staticmethod
        def extract(*args: Any, **kwargs: Any) -> CapturedTraceback:
            taken.append(1)
            return CapturedTraceback.extract(*args, **kwargs)

    monkeypatch.setattr("torch.fx.proxy.CapturedTraceback", Counting)
    with no_stack_traces():
        again = exported.run_decompositions({})
        assert {node.stack_trace for node in again.graph.nodes} & stacks
        for node in exported.graph.nodes:
            node.meta.pop("stack_trace", None)
        exported.run_decompositions({})
    assert not taken
    exported.run_decompositions({})
    assert taken


def test_the_form_of_a_quantised_value_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []
    usual = FakeTensorMode._dispatch_impl

    def counted(self: Any, func: Any, *rest: Any) -> Any:
        computed.append(str(func))
        return usual(self, func, *rest)

    monkeypatch.setattr(FakeTensorMode, "_dispatch_impl", counted)
    quantize = torch.ops.quantized_decomposed.quantize_per_tensor.default
    with FakeTensorMode() as mode:
        x = mode.from_tensor(torch.randn(3, 17))
        for _ in range(2):
            quantize(x, 0.0372, 3, -128, 127, torch.int8)
        assert computed.count(str(quantize)) == 2  # as torch has it
        with cheaper_passes():
            forms = [quantize(x, 0.0371, 3, -128, 127, torch.int8) for _ in range(3)]
    assert computed.count(str(quantize)) == 3
    assert {(one.dtype, *one.shape) for one in forms} == {(torch.int8, 3, 17)}
