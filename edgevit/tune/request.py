"""Request of a tuning run, and the budget of its search."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgevit import __version__
from edgevit.errors import UsageError
from edgevit.export import WEIGHTS, ExportPlan
from edgevit.quantize import CALIBRATION, GENERATED, CalibrationOptions
from edgevit.rewrites.lossy.table import LOSSY_CHOICES
from edgevit.support.backend_options import BackendOptions, options_info
from edgevit.support.shape import ShapeError, require_shape
from edgevit.tune.space import FORMAT, Point, Space


@dataclass(frozen=True)
class Budget:
    """Limit of seconds or of trials. Finishing a started trial and confirmation may exceed it."""

    seconds: float | None = None
    trials: int | None = None  # of the study, including earlier runs

    @classmethod
    def of(cls, text: str) -> Budget:
        """Parse a budget: `10m`, `90s`, `1h`; `30` or `30-trials`."""
        if match := re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(s|m|h)", text):
            return cls(seconds=float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]])
        if match := re.fullmatch(r"([0-9]{1,6})(?:[ -]?trials?)?", text):
            return cls(trials=int(match[1]))
        raise UsageError(
            f"`{text[:40]}` is no budget",
            where="--budget",
            why="it is a time, or a number of trials, of at most six digits",
            hint="10m, 90s, 1h, or a number of trials: 30",
        )


@dataclass(frozen=True)
class TuneRequest:
    model: str
    target: str
    on: str
    output: Path
    budget: Budget
    max_drop: float | None = None  # maximum 1 - cosine to the model as given
    formats: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # non-default model options
    backend_options: Mapping[str, BackendOptions] = field(default_factory=dict)  # by format
    calibration: CalibrationOptions = GENERATED
    store: str | None = None
    study: str | None = None
    rounds: int = 20
    evaluate: str | None = None  # labelled data that each artifact is evaluated on
    max_top1_drop: float | None = None  # points of top-1 that an artifact may lose on it

    @property
    def lossy(self) -> bool:
        """Check that lossy steps are offered: there is a limit to what they may cost."""
        return self.max_drop is not None or self.max_top1_drop is not None

    def require_data(self) -> None:
        if self.max_top1_drop is not None and self.evaluate is None:
            raise UsageError(
                "--max-top1-drop needs labelled data",
                where="--max-top1-drop",
                why="without --evaluate no accuracy is measured",
                hint="--evaluate FOLDER, with a folder of pictures a class",
            )

    @property
    def said(self) -> tuple[str, ...]:
        """Options passed to every export beside the plan: code of the user's, and weights that may be."""
        try:
            require_shape(self.options.get("weights", "random"), WEIGHTS)
        except ShapeError:
            return ("trust", "replace", "weights")
        return ("trust", "replace")

    def said_words(self) -> tuple[str, ...]:
        words = ["--trust"] if self.options.get("trust") else []
        words += [f"--weights={self.options['weights']}"] if "weights" in self.said else []
        words += [f"--replace={self.options['replace']}"] if "replace" in self.options else []
        words += [f"--evaluate={Path(self.evaluate).absolute()}"] if self.evaluate else []
        return tuple(words)

    def plan(self, point: Point, space: Space, graph: str, convert_threads: int) -> ExportPlan:
        """Return the plan of a point, for `edgevit export --plan`."""
        default = space.default(point[FORMAT])
        changed = {k: v for k, v in point.items() if v != default[k]}
        lossy = tuple(changed.pop(c.name) for c in LOSSY_CHOICES if c.name in changed)
        threads = changed.pop("threads", "0")
        changed.pop("precision", None)
        return ExportPlan(
            self.model,
            self.target,
            point[FORMAT],
            point.get("precision") or space.fixed_precision[point[FORMAT]],
            changed,
            lossy,
            int(threads),
            convert_threads,
            graph,
            {k: v for k, v in self.options.items() if k not in self.said},
            self._changed(point[FORMAT]),
            CALIBRATION.changed(self.calibration),
            why={**space.why(point)},
        )

    def _changed(self, format: str) -> dict[str, Any]:
        """Return the backend's options that are not at their default."""
        info = options_info(format)
        own = self.backend_options.get(format)
        return info.changed(own) if info and own else {}

    def max_ram(self, formats: Sequence[str]) -> int | None:
        """Return the bytes of RAM allowed by the backends' own options."""
        limits = [
            getattr(self.backend_options[format], info.ram_limit)
            for format in formats
            if (info := options_info(format)) and info.ram_limit and format in self.backend_options
        ]
        return min((limit for limit in limits if limit is not None), default=None)

    def study_name(self, space: Space) -> str:
        """Return the study's name, with a digest of the request, the version and its choices."""
        facts = [
            self.model, self.target, self.on, self.max_drop, dict(self.options),
            *((self.evaluate, self.max_top1_drop) if self.evaluate else ()),
            {f: self._changed(f) for f in space.formats}, asdict(self.calibration),
            __version__, space.formats,
            {f: [(c.name, c.options) for c in choices] for f, choices in space.choices.items()},
        ]  # fmt: skip
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
        return f"{self.model} for {self.target} on {self.on} {digest.hexdigest()[:12]}"
