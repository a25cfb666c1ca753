"""Random weights under which every part of a net matters: opened, warmed, finite, seeded."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevit.frontend.live_weights import liveness, make_live
from edgevit.frontend.resolve import resolve


class Dead(nn.Module):
    """All that fresh nets switch off: zero gammas, tiny layer scales, zero tables, zero matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.branch, self.last = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        nn.init.zeros_(self.last.weight)
        self.gamma = nn.Parameter(torch.full((8, 1, 1), 1e-5))
        self.table = nn.Parameter(torch.zeros(1, 8, 6, 6))
        self.mix = nn.Linear(8, 8)
        nn.init.zeros_(self.mix.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem(x)) + self.table
        x = x + self.last(self.branch(x))
        return x + self.gamma * self.mix(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


X = torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(3))


def alive(seed: int = 0) -> Dead:
    torch.manual_seed(1)
    net = Dead().eval()
    make_live(net, (X,), seed)
    return net


def test_every_part_of_a_live_net_matters() -> None:
    net = alive()
    with torch.no_grad():
        whole = net(X)
        for part in ("last.weight", "gamma", "table", "mix.weight", "branch.weight"):
            parameter = net.get_parameter(part)
            kept = parameter.clone()
            parameter.zero_()
            change = (net(X) - whole).norm() / whole.norm()
            parameter.copy_(kept)
            assert change > 0.02, f"without {part} the output is the same"


def test_batch_norms_are_warmed_by_data() -> None:
    net = alive()
    for norm in (net.norm, net.last):
        assert not torch.allclose(norm.running_mean, torch.zeros(8))
        assert not torch.allclose(norm.running_var, torch.ones(8))
    assert torch.isfinite(net(X)).all()
    assert not net.training
    assert all(not module.training for module in net.modules())


def test_the_output_follows_the_input_and_the_seed() -> None:
    assert liveness(alive(), (X,)) > 0.05
    assert torch.equal(alive(5)(X), alive(5)(X))
    assert not torch.equal(alive(5)(X), alive(6)(X))


@pytest.mark.parametrize("net", ["mobilenetv4_conv_small_035", "repghostnet_050", "convnext_atto"])
def test_timm_nets_come_alive(net: str) -> None:
    source = resolve(f"timm:{net}", input_size=64)
    assert liveness(source.module, source.inputs) > 0.02
    assert source.module(*source.inputs).abs().max() < 1e3


def test_the_net_as_built_is_dead() -> None:
    """What the tests above start from: they would prove nothing on a net that was live already."""
    torch.manual_seed(1)
    net = Dead().eval()
    with torch.no_grad():
        whole = net(X)
        net.branch.weight.zero_()
        net.mix.bias.zero_()
        assert torch.allclose(net(X), whole, atol=1e-3)


def test_closed_parameters_are_opened() -> None:
    net = alive()
    assert net.last.weight.abs().min() > 0.01
    assert net.gamma.min() >= 0.3
    assert net.table.std() > 0.1
    assert net.mix.weight.std() > 0.1


def test_batch_norm_statistics_are_those_of_the_data() -> None:
    """A normalised channel is near zero mean and unit size on pictures, not just another number."""
    net = alive()
    seen: list[torch.Tensor] = []
    net.norm.register_forward_pre_hook(lambda norm, args: seen.append(args[0]))
    with torch.no_grad():
        net(X * 1.0)
    mean, var = net.norm.running_mean[:, None, None], net.norm.running_var[:, None, None]
    size = ((seen[0][0] - mean) / var.sqrt()).square().mean().sqrt()
    assert 0.2 < size < 5


def test_a_small_layer_scale_keeps_its_sign() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gamma = nn.Parameter(torch.full((4,), -1e-6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.gamma

    net = Scaled().eval()
    make_live(net, (torch.randn(2, 4),), 0)
    assert bool((net.gamma <= -0.3).all())


def test_a_parameter_used_twice_is_changed_once() -> None:
    def slope(tied: bool) -> torch.Tensor:
        layers = nn.Sequential(nn.PReLU(), nn.Sequential(nn.PReLU()))
        if tied:
            layers[1][0].weight = layers[0].weight
        make_live(layers.eval(), (torch.randn(2, 4),), 0)
        return layers[0].weight

    assert torch.equal(slope(True), slope(False))


def test_a_net_that_fixes_its_batch_size_is_warmed_too() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(x).reshape(1, 3 * 36)

    net = Fixed().eval()
    make_live(net, (X,), 0)
    assert not torch.equal(net.norm.running_mean, torch.zeros(3))


def test_the_same_seed_gives_the_same_net_from_the_command_line() -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        source = resolve("timm:mobilenetv4_conv_small_035", input_size=32, seed=seed)
        return source.module.state_dict()

    first, second, other = weights(4), weights(4), weights(5)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv_stem.weight"], other["conv_stem.weight"])


def test_muted_matrices_and_quiet_tables_are_turned_up() -> None:
    class Quiet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.up = nn.Linear(64, 64), nn.ConvTranspose2d(16, 4, 2)
            self.table = nn.Parameter(torch.empty(1, 9, 64))
            for parameter in (self.mix.weight, self.up.weight, self.table):
                nn.init.normal_(parameter, std=0.02)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.mix(x + self.table)

    torch.manual_seed(0)
    net = Quiet().eval()
    make_live(net, (torch.randn(1, 9, 64),), 0)
    assert 0.79 < net.mix.weight.std() * 64**0.5 < 1.51
    assert 0.79 < net.up.weight.std() * (16 * 4) ** 0.5 < 1.51  # a transposed kernel's fan-in
    assert 0.19 < net.table.std() < 0.21
