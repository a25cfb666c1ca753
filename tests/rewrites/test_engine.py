"""The engine proves every rule that fires, and blames the right one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.fx.node import Node

from edgevit.errors import InternalError, ParityError
from edgevit.graph.aten import kind
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.engine import run
from edgevit.rewrites.rule import Match, Rule
from edgevit.rewrites.standard import STANDARD
from tests.rewrites.checking import program_for

aten = torch.ops.aten


class OnRelu(Rule[Match]):
    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if kind(node) == "relu" else None


class WrongRule(OnRelu):
    name = "wrong-rule"
    rtol = 1e-5

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return edit.call(aten.leaky_relu.default, match.node.args[0], 1e-3)


class ReshapingRule(OnRelu):
    name = "reshaping-rule"

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return edit.call(aten.flatten.using_ints, match.node.args[0])


class EndlessRule(OnRelu):
    name = "endless-rule"

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return edit.call(aten.relu.default, match.node.args[0])


X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


def test_a_wrong_rule_is_a_drift_that_names_it() -> None:
    with pytest.raises(ParityError) as caught:
        run(program_for(NET, X), [*STANDARD, WrongRule()])
    assert "wrong-rule" in caught.value.message
    assert "promises 1e-05" in caught.value.why
    assert "--without wrong-rule" in caught.value.hint
    assert caught.value.where.startswith("2")  # the module path of the ReLU


def test_an_edit_that_changes_a_shape_is_an_internal_error_with_a_report(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(InternalError, match="reshaping-rule") as caught:
        run(program_for(NET, X), [ReshapingRule()])
    assert [str(path) for path in tmp_path.glob("edgevit-bug-*.txt")] == [caught.value.report]
    assert caught.value.report in caught.value.hint
    assert caught.value.hint.startswith("export without it (`--without reshaping-rule`")


def test_the_report_of_a_rule_that_never_ends_has_the_graph(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(InternalError) as caught:
        run(program_for(NET, X), [EndlessRule()])
    assert "endless-rule" in caught.value.message
    assert "relu" in Path(caught.value.report).read_text()


def test_the_report_counts_what_fired_and_what_it_cost() -> None:
    program, report = run(program_for(NET, X), STANDARD)
    fired = {rule.rule: len(rule.fired) for rule in report.rules}
    assert {name for name, count in fired.items() if count} == {"collapse-linear"}
    assert set(fired) == {rule.name for rule in STANDARD}
    assert (report.before.ops, report.after.ops) == (3, 2)
    assert 0 < report.rel_l2 < 1e-5
    assert program.run()[0].shape == (2, 4, 6, 6)


def test_nan_that_appears_is_never_within_tolerance() -> None:
    class MakesNan(OnRelu):
        name = "makes-nan"
        rtol = 1.0

        def rewrite(self, match: Match, edit: Edit) -> Node:
            return edit.call(aten.sqrt.default, match.node.args[0])

    with pytest.raises(ParityError, match="makes-nan"):
        run(program_for(NET, X), [MakesNan()])


def test_a_rule_that_would_make_too_much_is_refused(monkeypatch) -> None:
    class Large(OnRelu):
        name = "large"

        def rewrite(self, match: Match, edit: Edit) -> Node:
            begun = edit.call(aten.relu.default, match.node.args[0])
            return edit.call(aten.add.Tensor, begun, edit.constant(torch.ones(1024, 1024), "ones"))

    monkeypatch.setattr("edgevit.graph.edit._MORE", 1 << 20)
    before = program_for(NET, X)
    after, report = run(before, [Large()])
    assert [refusal.why for refusal in report.rules[0].refused] == ["its constants would have 4 MB"]
    assert [kind(node) for node in after.calls()] == [kind(node) for node in before.calls()]
    assert set(after.constants) == set(before.constants)


class Offset(nn.Module):
    """The norm takes away 300 and leaves what float32 has lost to it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.GroupNorm(2, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(x) + 300))


def test_a_rule_is_judged_no_tighter_than_the_net_is_computed() -> None:
    torch.manual_seed(0)
    program, report = run(program_for(Offset(), X), STANDARD)
    assert 1e-5 < report.rel_l2 < 1e-4
    assert not any(call.name.startswith("add") for call in program.calls())
    with pytest.raises(ParityError, match="wrong-rule"):
        run(program, [WrongRule()])


def test_noise_of_the_net_is_no_leave_for_any_error() -> None:
    """Where rounding alone is worse than the whole may be, the bound is that of the whole."""
    torch.manual_seed(0)
    net = Offset().eval()
    net.conv.weight.data *= 1e-4
    with pytest.raises(ParityError) as caught:
        run(program_for(net, X), [WrongRule()])
    assert "promises 0.0001" in caught.value.why
