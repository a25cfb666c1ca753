"""Latency model of one kind of device, fitted on published figures.

    latency = (sum of cost_i * feature_i) * exp(setting + source)      cost_i > 0

A cost is the time per unit of its feature. It is positive, so that more work never takes less time.
`setting` is the chip and the number of threads. `source` is the publication: a random effect,
shrunk to zero, because sources differ by more than their nets do. The fit is on logarithms, and
residuals beyond `_OUTLIER` count linearly.

The error bar is from cross-validation: each family of nets in turn is held out of the fit, and
predicted by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_OUTLIER = 0.15
_SOURCE_RIDGE, _SETTING_RIDGE, _COST_RIDGE = 1.0, 0.01, 0.02
_COVERED = 0.87  # share of held-out errors within the bar
_STEPS = 60


@dataclass(frozen=True)
class Sample:
    """Published figure, with the features of its net."""

    net: str
    family: str
    setting: str
    source: str
    latency_ms: float
    features: tuple[float, ...]


@dataclass(frozen=True)
class Fitted:
    costs: tuple[float, ...]  # milliseconds per unit of each feature
    settings: dict[str, float]  # natural logarithms
    sources: dict[str, float]

    def log_ms(self, features: Sequence[float], setting: str, source: str = "") -> float:
        """Return the log of the latency in ms. An unknown source counts as the average one."""
        work = float(np.dot(self.costs, features))
        return float(np.log(work)) + self.settings.get(setting, 0.0) + self.sources.get(source, 0.0)


@dataclass(frozen=True)
class CrossValidation:
    """Cross-validation: errors of each sample, predicted by a fit without its family."""

    errors: tuple[float, ...]  # predicted minus published, of logarithms
    median: float  # median of |predicted / published - 1|
    rank: float  # Spearman's rank correlation of all predictions
    covered: float  # share within the bar, each family's bar taken from the others
    bar: float  # factor of the error bar, up and down


def fit(samples: Sequence[Sample]) -> Fitted:
    """Fit the model by Levenberg-Marquardt on the logarithms, reweighted for outliers."""
    everything = np.array([sample.features for sample in samples])
    # The cost of a feature that no net has is unknown: it is 0 here, and the forecast refuses it.
    present = everything.any(0)
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
    parameters = [float(x) for x in p[count:]]
    return Fitted(
        tuple(map(float, costs)),
        dict(zip(settings, parameters, strict=False)),
        dict(zip(sources, parameters[len(settings) :], strict=True)),
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
    """Return the loss, the residuals and their Jacobian."""
    count = work.shape[1]
    parts = work * np.exp(p[:count])
    total = parts.sum(1)
    residual = np.log(total) + effects @ p[count:] - y
    slope = np.hstack([parts / total[:, None], effects])
    soft = _OUTLIER**2 * (np.sqrt(1 + (residual / _OUTLIER) ** 2) - 1)
    return float(soft.sum() + 0.5 * (ridge**2 * (p - prior) ** 2).sum()), residual, slope


def held_out(samples: Sequence[Sample]) -> CrossValidation:
    """Cross-validate: leave each family in turn out of the fit, and predict it."""
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
    return CrossValidation(
        tuple(map(float, errors)),
        float(np.median(np.abs(np.exp(errors) - 1))),
        _rank_correlation(predicted, published),
        float(np.mean(inside)),
        float(np.exp(np.quantile(size, _COVERED))),
    )


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks of values. Ties share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
