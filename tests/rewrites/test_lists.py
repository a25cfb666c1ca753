"""What every backend's list of rules promises as a whole: its order, its error, and that once is enough."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.backends.api import backend_of
from edgevit.rewrites.engine import run
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.rewrites.variants import formed
from edgevit.support.backend_info import BACKENDS
from tests.rewrites.checking import program_for, warm

LISTS: dict[str, tuple[AnyRule, ...]] = {
    "standard": STANDARD,
    **{name: backend_of(name).rules for name in BACKENDS},
}
FORMS = {name: backend_of(name).forms for name in BACKENDS if backend_of(name).forms}
X = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Attention(nn.Module):
    """Written out; a `scale` of 1 is one that somebody has folded already."""

    def __init__(self, scale: float, bias: bool) -> None:
        super().__init__()
        self.scale, self.norm = scale, nn.LayerNorm(8)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.bias = nn.Parameter(torch.randn(2, 64, 64)) if bias else 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        qkv = self.qkv(self.norm(tokens)).reshape(1, 64, 3, 2, 4).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        weights = (q @ k.transpose(-2, -1) * self.scale + self.bias).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(1, 64, 8)
        return x + self.out(mixed).transpose(1, 2).reshape(x.shape)


class Everything(nn.Module):
    """One of each kind of block that a rule of some list looks for."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 4, 1, bias=False), nn.BatchNorm2d(8), nn.GELU("tanh")
        )
        self.far = nn.Sequential(
            nn.Conv2d(8, 8, 7, padding=3, groups=8), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.groups, self.attend = (
            nn.GroupNorm(2, 8),
            nn.Sequential(Attention(0.5, True), Attention(1.0, False)),
        )
        self.mix, self.gate = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.mix(self.groups(x + F.relu(self.far(x))).roll((1, 2), (2, 3)))
        x = self.attend(x) * F.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        x = F.interpolate(x, size=(11, 9), mode="bicubic")
        x = F.interpolate(x, scale_factor=1.3, mode="bilinear") + F.interpolate(x, size=(14, 11))
        x = F.adaptive_avg_pool2d(F.pad(x, (1, 1, 2, 2), mode="reflect"), (7, 5))[:, :, ::2]
        x = F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)
        x = torch.cat([F.adaptive_max_pool2d(x, (1, 2)), F.normalize(x[:, :, :1, :2], dim=1)], 2)
        return x.std((2, 3)) + x.softmax(1).mean((2, 3))


class EqualExtents(nn.Module):
    """Attention whose heads are as wide as there are tokens: a permute that could be two."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.qkv = nn.Conv2d(3, 8, 8, 8), nn.Linear(8, 3 * 2 * 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        qkv = self.qkv(self.stem(x).flatten(2).transpose(1, 2)).view(1, 16, 2, 48)
        q, k, v = qkv.split([16, 16, 16], dim=3)
        weights = q.permute(0, 2, 1, 3) @ k.permute(0, 2, 3, 1) * 0.25
        return (weights.softmax(-1) @ v.permute(0, 2, 1, 3)).transpose(1, 2).reshape(1, 16, 32)


@pytest.mark.parametrize("net", [Everything, EqualExtents])
@pytest.mark.parametrize("name", LISTS)
def test_a_second_run_of_a_list_changes_nothing(name: str, net: type[nn.Module]) -> None:
    torch.manual_seed(0)
    after, first = run(program_for(warm(net()), X), LISTS[name])
    assert first.rel_l2 <= 1e-4
    assert max(rule.rel_l2 for rule in first.rules) <= 1e-5
    again = {rule.rule: rule.fired for rule in run(after, LISTS[name])[1].rules if rule.fired}
    assert not again


@pytest.mark.parametrize("name", LISTS)
def test_a_list_keeps_the_order_that_its_rules_ask_for(name: str) -> None:
    names = [rule.name for rule in LISTS[name]]
    for place, rule in enumerate(LISTS[name]):
        for earlier in set(rule.after) & set(names):  # a list may do without
            assert earlier in names[:place], f"{rule.name} must come after {earlier}"


@pytest.mark.parametrize("name", FORMS)
def test_every_form_keeps_that_order(name: str) -> None:
    for form in FORMS[name]:
        for option in form.turns:
            rules = formed(LISTS[name], FORMS[name], {form.choice.name: option})
            assert rules != LISTS[name], f"{form.choice.name}={option} changes no list"
            names = [rule.name for rule in rules]
            for place, rule in enumerate(rules):
                for earlier in set(rule.after) & set(names):
                    assert earlier in names[:place], f"{option}: {rule.name} after {earlier}"


@pytest.mark.parametrize("name", FORMS)
def test_forms_compute_the_same(name: str) -> None:
    """Each choice at its first other option, all at once."""
    torch.manual_seed(0)
    settings = {form.choice.name: next(iter(form.turns)) for form in FORMS[name]}
    rules = formed(LISTS[name], FORMS[name], settings)
    assert run(program_for(warm(Everything()), X), rules)[1].rel_l2 <= 1e-4
