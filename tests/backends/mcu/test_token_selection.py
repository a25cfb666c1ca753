"""Tokens that a network orders, picks, drops and merges by itself, in integers: near the model, and the C bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.schedule.plan import bytes_alive, plan_text
from edgevit.backends.mcu.schedule.search import best_plan
from edgevit.errors import EdgevitError, UnsupportedOpError
from edgevit.graph.parity import distance
from edgevit.integer.lowering.quantized import Quantized
from edgevit.integer.rewrites.rewritten import rewritten
from edgevit.integer.simulate import outputs_of
from edgevit.quantize.calibration import Calibration
from tests.backends.mcu.host import check_on_host
from tests.fuzzed import token_nets
from tests.quantize.imported import imported
from tests.rewrites.checking import Call

X = torch.randn(1, 12, 6, generator=torch.Generator().manual_seed(3))
ROWS = torch.arange(72.0).reshape(1, 12, 6).roll((5, 2), (1, 2)) / 18 - 2  # no two alike
Net = Callable[[nn.Module, torch.Tensor], torch.Tensor]


def wide(places: torch.Tensor) -> torch.Tensor:
    return places.unsqueeze(-1).expand(-1, -1, 6)


SELECTIONS: dict[str, Net] = {
    "the largest": lambda _, x: x.topk(3, 1).values,
    "the smallest, of the last axis": lambda _, x: x.topk(2, -1, largest=False)[0],
    "all in order": lambda _, x: x.sort(1, descending=True)[0],
    "a maximum": lambda _, x: x.max(2)[0] - x.amin(2),
    "rows by topk": lambda _, x: x.gather(1, wide(x.mean(-1).topk(5, 1)[1])),
    "rows by argsort": lambda _, x: x.gather(1, wide(x.mean(-1).argsort(1)[:, 2:7])),
    "rows that are spread": lambda _, x: torch.take_along_dim(x, x.mean(-1, True).argsort(1)[:, 2:7], 1),
    "one row": lambda _, x: x.gather(1, wide(x.sum(-1).argmax(1, keepdim=True))),
    "an index": lambda _, x: x[:, x[0].mean(-1).topk(4)[1]],
    "a selection": lambda _, x: x.index_select(1, x[0, :, 0].argsort(descending=True)[:4]),
    "each column by its own": lambda _, x: x.gather(1, x.argsort(1)[:, :3]),
    "places moved up": lambda _, x: x.gather(1, wide(x[:, 1:, 0].topk(3, 1)[1] + 1)),
    "added to their nearest": lambda _, x: x[:, :4].scatter_add(1, wide(x[:, 4:, :4].argmax(-1)), x[:, 4:]),
    "averaged with their nearest": lambda _, x: x[:, :4].scatter_reduce(1, wide(x[:, 4:, :4].argmax(-1)), x[:, 4:], "mean"),
    "one-hot rows": lambda _, x: nn.functional.one_hot(x[..., 0].topk(3, 1)[1], 12).float() @ x,
}  # fmt: skip


def simulated(net: nn.Module, x: torch.Tensor) -> tuple[Quantized, float]:
    """Return the integers, and the cosine of what they compute."""
    quantized = imported(net, x, calibration=Calibration(((x,),), "the example"))
    with torch.no_grad():
        return quantized, distance([net(x)], quantized.run((x,))).cosine


def test_selections_are_near_and_their_code_is_equal(folder: Path) -> None:
    singles = []
    for name, function in SELECTIONS.items():
        quantized, cosine = simulated(Call(function), ROWS)
        assert cosine > 0.999, name
        singles.append((quantized.graph, quantized.quantized((ROWS,))))
    check_on_host(singles, folder)


@pytest.mark.parametrize("net", ["fuses", "ranks", "merges"])
def test_authors_layouts_are_near(net: str) -> None:
    _, cosine = simulated(*getattr(token_nets, net)())
    assert cosine > 0.99


@pytest.mark.long
@pytest.mark.parametrize("net", ["fuses", "ranks", "merges"])
def test_the_code_of_authors_layouts_is_equal(net: str, folder: Path) -> None:
    model, image = getattr(token_nets, net)()
    quantized, _ = simulated(model, image)
    inputs = [torch.rand(image.shape, generator=torch.Generator().manual_seed(k)) for k in range(3)]
    check_on_host([(quantized.graph, quantized.quantized((x,))) for x in inputs], folder)


def test_less_is_alive_behind_a_reduction() -> None:
    quantized, _ = simulated(*token_nets.fuses())
    plan = best_plan(rewritten(quantized.graph), CORES["m4"], "balanced")
    kept = [name for loop in plan.loops for name in loop.kept]
    (fused,) = (k for k, loop in enumerate(plan.loops) if "cat_1" in loop.kept)
    alive = [bytes_alive(plan, loop) for loop in range(len(plan.loops))]
    assert "topk.places" in kept and max(alive[fused + 1 :]) < 0.8 * max(alive[: fused + 1])
    assert f"{max(alive):,} bytes alive" in plan_text(plan) and max(alive) <= plan.size


REFUSED: dict[str, tuple[Net, str]] = {
    "places that leave": (lambda _, x: x.argmax(1), "what leaves is a real number"),
    "places that are counted": (lambda _, x: x * x[..., 0].topk(6, 1)[1].float()[:, None], "become real numbers"),
    "places that move down": (lambda _, x: x[:, x[0, 2:, 0].topk(4)[1] - 1], "only move up"),
    "an order of everything": (lambda _, x: x.flatten(1)[:, x.argmax().reshape(1)], "over several axes"),
    "products of places": (lambda _, x: x.gather(1, wide(x[:, :6, 0].topk(3, 1)[1] * 2)), "only the places"),
    "a largest of written rows": (lambda _, x: x[:, :4].scatter_reduce(1, wide(x[:, 4:, 0].argsort(1).clamp(max=3)), x[:, 4:], "amax"), "places of rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_integers_cannot_do_is_refused(name: str) -> None:
    function, why = REFUSED[name]
    with pytest.raises(EdgevitError) as refusal:
        imported(Call(function), X)
    assert isinstance(refusal.value, UnsupportedOpError), refusal.value
    assert why in refusal.value.why and refusal.value.where and refusal.value.hint


def test_an_infinity_comes_last() -> None:
    """Its integer has no equal, so that no tie is its."""

    def masked(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        scores = x.mean(-1).clone()
        scores[:, 0] = -torch.inf
        return x.gather(1, wide(scores.topk(11, 1)[1]))

    quantized, cosine = simulated(Call(masked), ROWS)
    assert cosine > 0.999
    (rows,) = outputs_of(quantized.graph, quantized.quantized((ROWS,)))
    first = quantized.quantized((ROWS,))[0][0]
    assert not any(np.array_equal(row, first) for row in rows)
