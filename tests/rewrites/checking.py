"""The one way to test a rule: what it does to a model, and all that must stay as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.aten import kind
from edgevit.graph.parity import distance
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.rewrites.engine import apply
from edgevit.rewrites.rule import AnyRule


def program_for(model: nn.Module, *inputs: torch.Tensor) -> Program:
    names = tuple(f"x{k}" if k else "x" for k in range(len(inputs)))
    return capture(ModelSource("test", "test", model.eval(), inputs, names, "a test", "as built"))


def check_rewrite(
    rule: AnyRule,
    model: nn.Module,
    *inputs: torch.Tensor,
    fires: int = 0,
    refuses: str = "",
    text: str = "",
) -> Program:
    """Fires that often, declines for a reason that holds `refuses`, leaves `text` in the graph.

    Whatever it does: names, shapes and types of what goes in and out are unchanged, the outputs
    agree within the rule's own tolerance, and a second run finds nothing left to do.
    """
    before = program_for(model, *inputs)
    after, fired, refused = apply(rule, before)
    reasons = [r.why for r in refused]
    assert len(fired) == fires, f"fired at {fired}, refused {reasons}\n{graph_text(after)}"
    if refuses:
        assert any(refuses in why for why in reasons), reasons
    for line in text.splitlines():
        assert line.strip() in graph_text(after), graph_text(after)
    _same_outside(before, after)
    # In float64, so that what is measured is the rule and not this net's rounding.
    found = distance(*_both_finite(before.in_float64().run(), after.in_float64().run()))
    assert found.rel_l2 <= rule.rtol, f"relative L2 {found.rel_l2}\n{graph_text(after)}"
    assert not apply(rule, after)[1], "the rule fires again on its own output"
    return after


def _both_finite(
    before: Sequence[torch.Tensor], after: Sequence[torch.Tensor]
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Hold infinities and NaN to be the same ones, and give both sides zeros in their places."""
    zeroed: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old.isfinite(), new.isfinite())
        odd = ~old.isfinite()
        assert torch.equal(old[odd].nan_to_num(), new[odd].nan_to_num())
        zeroed[0].append(old.masked_fill(odd, 0))
        zeroed[1].append(new.masked_fill(odd, 0))
    return zeroed


def _same_outside(before: Program, after: Program) -> None:
    assert after.input_names == before.input_names
    assert after.output_names == before.output_names
    for old, new in zip(before.run(), after.run(), strict=True):
        assert old.shape == new.shape
        assert old.dtype == new.dtype


def warm(model: nn.Module, seed: int = 0) -> nn.Module:
    """Batch norms that do something: no statistic and no parameter is left at its default."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.3, 3, generator=generator)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
                nn.init.normal_(module.bias, generator=generator)
    return model.eval()


class Call(nn.Module):
    """A module that is one function of itself and its inputs."""

    def __init__(self, function: Callable[..., torch.Tensor], **constants: torch.Tensor) -> None:
        super().__init__()
        self.function = function
        for name, tensor in constants.items():
            self.register_buffer(name, tensor)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self, *inputs)


def kinds(program: Program) -> list[str]:
    return [kind(node) for node in program.calls()]
