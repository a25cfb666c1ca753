"""A latency model of one kind of device, fitted on published figures.

    latency = (sum of cost_i * feature_i) * exp(setting + source)      cost_i > 0

A cost is what one more of its feature takes: positive, so that more work is never less time. `setting` is what was
measured on (the chip, the threads), `source` who measured: a random effect, drawn to zero, because sources differ by
more than their nets do. Fitted on logarithms, with residuals beyond `_OUTLIER` counting linearly.

The error bar is of families held out: each family of nets in turn is predicted by a fit that has not seen it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_OUTLIER = 0.15
_SOURCE_RIDGE, _SETTING_RIDGE, _COST_RIDGE = 1.0, 0.01, 0.02
_COVERED = 0.87  # of held-out errors lie within the bar
_STEPS = 60


@dataclass(frozen=True)
class Sample:
    """A published figure."""

    net: str
    family: str
    setting: str
    source: str
    latency_ms: float
    features: tuple[float, ...]


@dataclass(frozen=True)
class Fitted:
    costs: tuple[float, ...]  # milliseconds for one of each feature
    settings: dict[str, float]  # natural logarithms
    sources: dict[str, float]

    def log_ms(self, features: Sequence[float], setting: str, source: str = "") -> float:
        """Of a source that is not known: the average one."""
        work = float(np.dot(self.costs, features))
        return float(np.log(work)) + self.settings.get(setting, 0.0) + self.sources.get(source, 0.0)


@dataclass(frozen=True)
class HeldOut:
    """What each sample's latency was predicted to be by a fit without its family (logarithms)."""

    errors: tuple[float, ...]  # predicted minus published
    median: float  # of |predicted / published - 1|
    rank: float  # Spearman's, of all predictions
    covered: float  # share within the bar, the bar of each family made of the others
    bar: float  # the factor up and down that goes with a prediction


def fit(samples: Sequence[Sample]) -> Fitted:
    """Levenberg-Marquardt on the logarithms, reweighted for outliers."""
    everything = np.array([sample.features for sample in samples])
    present = everything.any(
        0
    )  # what no net has costs nobody knows what: it is 0 here, and refused there
    work = everything[:, present]
    settings = sorted({sample.setting for sample in samples})
    sources = sorted({sample.source for sample in samples})
    y = np.log([sample.latency_ms for sample in samples])
    effects = np.array(
        [[*(s.setting == k for k in settings), *(s.source == k for k in sources)] for s in samples],
        dtype=float,
    )
    scale = work.mean(0)
    count, typical = work.shape[1], float(np.median(y))
    prior = np.concatenate([np.full(count, typical - np.log(count)), np.zeros(effects.shape[1])])
    ridge = np.concatenate(
        [
            np.full(count, _COST_RIDGE),
            np.full(len(settings), _SETTING_RIDGE),
            np.full(len(sources), _SOURCE_RIDGE),
        ]
    )
    p = _solve(work / scale, effects, y, prior, ridge)
    costs = np.zeros(everything.shape[1])
    costs[present] = np.exp(p[:count]) / scale
    found = [float(x) for x in p[count:]]
    return Fitted(
        tuple(map(float, costs)),
        dict(zip(settings, found, strict=False)),
        dict(zip(sources, found[len(settings) :], strict=True)),
    )


def _solve(
    work: np.ndarray, effects: np.ndarray, y: np.ndarray, prior: np.ndarray, ridge: np.ndarray
) -> np.ndarray:
    p, damping = prior.copy(), 1e-2
    loss, residual, slope = _loss(p, work, effects, y, prior, ridge)
    for _ in range(_STEPS):
        weight = 1 / np.sqrt(1 + (residual / _OUTLIER) ** 2)
        normal = (slope * weight[:, None]).T @ slope + np.diag(ridge**2)
        gradient = slope.T @ (weight * residual) + ridge**2 * (p - prior)
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
        tried = _loss(p - step, work, effects, y, prior, ridge)
        if tried[0] < loss:
            gain = loss - tried[0]
            p, damping, (loss, residual, slope) = p - step, damping / 3, tried
            if gain < 1e-12 * max(loss, 1e-12):
                break
        else:
            damping *= 4
    return p


def _loss(
    p: np.ndarray,
    work: np.ndarray,
    effects: np.ndarray,
    y: np.ndarray,
    prior: np.ndarray,
    ridge: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray]:
    """The loss, the residuals, and their slope by each parameter."""
    count = work.shape[1]
    parts = work * np.exp(p[:count])
    total = parts.sum(1)
    residual = np.log(total) + effects @ p[count:] - y
    slope = np.hstack([parts / total[:, None], effects])
    soft = _OUTLIER**2 * (np.sqrt(1 + (residual / _OUTLIER) ** 2) - 1)
    return float(soft.sum() + 0.5 * (ridge**2 * (p - prior) ** 2).sum()), residual, slope


def held_out(samples: Sequence[Sample]) -> HeldOut:
    """Each family in turn left out of the fit, and predicted by it."""
    families = np.array([sample.family for sample in samples])
    published = np.log([sample.latency_ms for sample in samples])
    predicted = np.zeros(len(samples))
    for family in sorted(set(families)):
        fitted = fit([s for s in samples if s.family != family])
        for index in np.flatnonzero(families == family):
            s = samples[index]
            predicted[index] = fitted.log_ms(s.features, s.setting, s.source)
    errors = predicted - published
    size = np.abs(errors)
    inside = [size[k] <= np.quantile(size[families != family], _COVERED) for k, family in enumerate(families)]  # fmt: skip
    return HeldOut(
        tuple(map(float, errors)),
        float(np.median(np.abs(np.exp(errors) - 1))),
        _rank_correlation(predicted, published),
        float(np.mean(inside)),
        float(np.exp(np.quantile(size, _COVERED))),
    )


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
