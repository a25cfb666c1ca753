"""Request of a search: the space, the data, the device and its limits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from edgevit import __version__
from edgevit.errors import UsageError
from edgevit.search.proxies import PROXIES
from edgevit.tune import Budget


@dataclass(frozen=True)
class NetLimits:
    """Most that a net may take on the device, as its firmware is measured."""

    ram: int | None = None  # bytes: arena, static data and stack
    flash: int | None = None
    instructions: int | None = None

    def over(self, figures: Mapping[str, int]) -> str:
        """Return which limit the figures are above; empty for none."""
        limits = {"ram": self.ram, "flash": self.flash, "instructions": self.instructions}
        for name, limit in limits.items():
            if limit is not None and figures.get(name, 0) > limit:
                unit = "instructions" if name == "instructions" else f"bytes of {name.upper() if name == 'ram' else name}"  # fmt: skip
                return f"{figures[name]:,} {unit}, and the limit is {limit:,}"
        return ""

    def also(self, figures: Mapping[str, int]) -> NetLimits:
        """Return the limits, and no more RAM and instructions than these figures."""
        ram = min(filter(None, (self.ram, figures["ram"])))
        instructions = min(filter(None, (self.instructions, figures["instructions"])))
        return NetLimits(ram, self.flash, instructions)


@dataclass(frozen=True)
class Recipe:
    """How the built-in training goes."""

    epochs: int = 25
    batch: int = 64
    rate: float = 2e-3  # of AdamW, warmed up and then along a cosine


@dataclass(frozen=True)
class SearchRequest:
    space: str
    target: str
    data: str | None  # labelled: three quarters to learn from, a quarter to choose by
    output: Path
    budget: Budget
    limits: NetLimits = NetLimits()
    test: str | None = None  # labelled data that nothing is chosen by
    beat: str | None = None  # spec of a net that is trained first, and bounds RAM and instructions
    train: str | None = None  # `module:function` of the user's, in place of the built-in training
    calibrate: str | None = None  # None: the data
    proxy: str = "entropy"
    recipe: Recipe = Recipe()
    input_size: int | None = None
    population: int = 12
    seed: int = 0
    study: str | None = None
    trust: bool = False

    def require_whole(self) -> None:
        """Refuse a request without anything to learn from, or with an unknown proxy."""
        if self.data is None and self.train is None:
            raise UsageError(
                "there is nothing to train the nets on",
                where="--data",
                why="each net is trained, and scored by what it has learnt",
                hint="--data FOLDER of labelled pictures; or --train MODULE:FUNCTION of yours",
            )
        if self.data is None and self.calibrate is None:
            raise UsageError(
                "there is nothing to choose the ranges of integers on",
                where="--calibrate",
                why="a trained net is quantised on inputs of the kind it has learnt",
                hint="--calibrate FOLDER, or --data FOLDER",
            )
        if self.proxy not in PROXIES and ":" not in self.proxy:
            raise UsageError(
                f"no proxy is called `{self.proxy[:100]}`",
                where="--proxy",
                why=f"there are {', '.join(PROXIES)}",
                hint=f"{next(iter(PROXIES))}, or a function of yours: scores.py:score",
            )

    def study_name(self, knobs: Mapping[str, object]) -> str:
        """Return the study's name, with a digest of all that a figure of it depends on."""
        facts = [
            self.space, {name: str(options) for name, options in knobs.items()}, self.target,
            self.data, self.calibrate, self.beat, self.train, self.proxy, asdict(self.limits),
            asdict(self.recipe), self.input_size, self.population, self.seed, __version__,
        ]  # fmt: skip
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
        return f"{self.space} for {self.target} {digest.hexdigest()[:12]}"
