"""Request of a tuning run, and the budget of its search."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgevit import __version__
from edgevit.backends.mcu.options import NO_WISHES, FirmwareOptions
from edgevit.errors import UsageError
from edgevit.export.plan_file import WEIGHTS, ExportPlan
from edgevit.support.shape import Misshapen, require_shape
from edgevit.tune.space import FORMAT, Point, Space


@dataclass(frozen=True)
class Budget:
    """Limit of seconds or of trials. Finishing a started trial and confirmation may exceed it."""

    seconds: float | None = None
    trials: int | None = None  # of the study, including earlier runs

    @classmethod
    def of(cls, text: str) -> Budget:
        """Parse a budget: `10m`, `90s`, `1h`; `30` or `30-trials`."""
        if found := re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(s|m|h)", text):
            return cls(seconds=float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]])
        if found := re.fullmatch(r"([0-9]{1,6})(?:[ -]?trials?)?", text):
            return cls(trials=int(found[1]))
        raise UsageError(
            f"`{text[:40]}` is no budget",
            where="--budget",
            why="it is a time, or a number of trials, of at most six digits",
            hint="10m, 90s, 1h, or a number of trials: 30",
        )


@dataclass(frozen=True)
class Asked:
    model: str
    target: str
    on: str
    output: Path
    budget: Budget
    max_drop: float | None = None  # maximum 1 - cosine to the model as given
    formats: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # non-default model options
    firmware: FirmwareOptions = NO_WISHES
    store: str | None = None
    study: str | None = None
    rounds: int = 20

    @property
    def said(self) -> tuple[str, ...]:
        """Options passed to every export beside the plan: trust, and weights that may need it."""
        try:
            require_shape(self.options.get("weights", "random"), WEIGHTS)
        except Misshapen:
            return ("trust", "weights")
        return ("trust",)

    def said_words(self) -> tuple[str, ...]:
        words = ["--trust"] if self.options.get("trust") else []
        words += [f"--weights={self.options['weights']}"] if "weights" in self.said else []
        return tuple(words)

    def plan(self, point: Point, space: Space, graph: str, convert_threads: int) -> ExportPlan:
        """Return the plan of a point, for `edgevit export --plan`."""
        default = space.default(point[FORMAT])
        changed = {k: v for k, v in point.items() if v != default[k]}
        lossy = changed.pop("gelu", None)
        threads = changed.pop("threads", "0")
        changed.pop("precision", None)
        wished = {k: v for k, v in asdict(self.firmware).items() if v != getattr(NO_WISHES, k)}
        return ExportPlan(
            self.model,
            self.target,
            point[FORMAT],
            point.get("precision") or space.settled[point[FORMAT]],
            changed,
            (lossy,) if lossy else (),
            int(threads),
            convert_threads,
            graph,
            {k: v for k, v in self.options.items() if k not in self.said},
            wished,
            why={**space.why(point)},
        )

    def study_name(self, space: Space) -> str:
        """Return the study's name, with a digest of the request, the version and its choices."""
        facts = [
            self.model, self.target, self.on, self.max_drop, dict(self.options),
            asdict(self.firmware), __version__, space.formats,
            {f: [(c.name, c.options) for c in choices] for f, choices in space.choices.items()},
        ]  # fmt: skip
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
        return f"{self.model} for {self.target} on {self.on} {digest.hexdigest()[:12]}"
