"""Training of a candidate: a few epochs of AdamW, stopped where a cheaper net was far better by then."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from edgevit.errors import BudgetError, UsageError
from edgevit.frontend import load_object
from edgevit.search.learning_data import LearningData
from edgevit.search.request import Recipe

RUNGS = (0.25, 0.5, 0.75)  # of the training, at which nets are compared
_MARGINS = (12.0, 5.0, 2.5)  # points behind a cheaper net, at each rung
_WARM = 0.1  # of the steps
Report = Callable[[float, float], None]  # share of the training, score; raises to stop
Curve = Mapping[str, float]  # scores by rung


class Rungs:
    """Scores of one training, held against those of nets that take no more."""

    def __init__(self, cheaper: Sequence[Curve], margins: Sequence[float] = _MARGINS) -> None:
        self.curve: dict[str, float] = {}
        self._best = {
            str(rung): max((c[str(rung)] for c in cheaper if str(rung) in c), default=-math.inf)
            for rung in RUNGS
        }
        self._margins = dict(zip(map(str, RUNGS), margins, strict=True))

    def report(self, share: float, score: float) -> None:
        passed = [rung for rung in RUNGS if share >= rung - 1e-9 and str(rung) not in self.curve]
        for rung in map(str, passed):
            self.curve[rung] = score
            if score < self._best[rung] - self._margins[rung]:
                raise BudgetError(
                    f"it is behind: {score:.1f} after {float(rung):.0%} of the training",
                    why=f"a net that takes no more had {self._best[rung]:.1f} by then",
                )


def train(
    module: nn.Module, data: LearningData, recipe: Recipe, seed: int, report: Report
) -> float:
    """Train a classifier in place, and return the percent of choosing samples that it gets right."""
    images, labels = data.learnt
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(module.parameters(), recipe.rate, weight_decay=0.05)
    per_epoch = max(1, len(images) // recipe.batch)
    steps = per_epoch * recipe.epochs
    for epoch in range(recipe.epochs):
        module.train()
        order = torch.randperm(len(images), generator=generator).split(recipe.batch)[:per_epoch]
        for number, rows in enumerate(order):
            rate = recipe.rate * _schedule(epoch * per_epoch + number, steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            nn.functional.cross_entropy(_logits(module, images[rows]), labels[rows]).backward()
            optimizer.step()
        share = (epoch + 1) / recipe.epochs
        if any(share - 1 / recipe.epochs < rung <= share + 1e-9 for rung in RUNGS):
            report(share, accuracy(module, data))
    return accuracy(module, data)


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / max(1.0, _WARM * steps))
    return warm * (0.5 + 0.5 * math.cos(math.pi * step / steps))


@torch.no_grad()
def accuracy(module: nn.Module, data: LearningData) -> float:
    module.eval()
    images, labels = data.choosing
    outputs = torch.cat([_logits(module, part) for part in images.split(256)])
    return 100 * float((outputs.argmax(1) == labels).double().mean())


def _logits(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    outputs: Any = module(images)
    return outputs if isinstance(outputs, torch.Tensor) else next(iter(outputs))


def train_by(place: str, module: nn.Module, report: Report) -> float:
    """Train by a function of the user's: `function(module, report)`, which returns the score."""
    score = load_object(place)(module, report)
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise UsageError(
            f"`{place}` returned no score",
            where=place,
            why=f"it returned {str(score)[:80]}",
            hint="return a number, more being better: the accuracy in percent",
        )
    module.eval()
    return float(score)
