"""`edgevit search`: draw nets, judge each, keep the front. A killed run resumes: trials are stored."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import EdgevitError, InternalError, TargetError
from edgevit.exported import remove_export
from edgevit.frontend import build_source, load_object
from edgevit.search.judge import Judge, Peer, Say, measured_test
from edgevit.search.learning_data import calibration_of, facts_of, opener
from edgevit.search.nets import NetSpace, open_space, point_words
from edgevit.search.proxies import PROXIES, Score, macs_of
from edgevit.search.request import NetLimits, SearchRequest
from edgevit.support.host import now
from edgevit.support.notebook import Row, Shown
from edgevit.support.shape import Anything, Number, Table, Text
from edgevit.targets import load_target
from edgevit.tune import FinishedTrial, Point, Running, Sampling, Study, pareto, point_key, reason

NET = Table(
    {
        "spec": Text(plain=False),
        "score": Number(),
        "float_score": Number(),
        "curve": Table(others=Number()),
        "planned": Table(dict.fromkeys(("ram", "flash", "work"), Number())),
        **dict.fromkeys(("ram", "flash", "instructions"), Number()),
        "command": Text(plain=False),
    },
    others=Anything(),
)
STUDY = "study.sqlite"
NETS = "nets"
_BASELINE = "baseline"
_VALUES = 3  # all minimised: the negative score, RAM, instructions
_POOL = 5  # drawn for each net of the first generation


@dataclass(frozen=True, repr=False)
class Searched(Shown):
    """Result of a search. The front is by RAM; each of its nets was built and run."""

    request: SearchRequest
    front: tuple[Mapping[str, Any], ...]
    baseline: Mapping[str, Any] | None
    tried: int
    refused: int
    tau: float | None  # rank correlation of the proxy with the score, Kendall's

    def _title(self) -> str:
        return f"{self.request.space} for {self.request.target}"

    def _rows(self) -> Iterator[Row]:
        yield "nets", f"{self.tried} tried, {self.refused} of them refused"
        for net in self.front:
            yield (
                net["spec"],
                f"{net['score']:.2f}, RAM {net['ram']:,}, {net['instructions']:,} instructions",
            )

    @property
    def best(self) -> Mapping[str, Any] | None:
        """Net of the highest score. The test data has no say in it."""
        return max(self.front, key=lambda net: net["score"], default=None)

    @property
    def beats(self) -> bool:
        """Check that the best net beats the baseline: on the test data, where there is some.

        No net of the front takes more RAM or instructions than the baseline.
        """
        if self.best is None or self.baseline is None:
            return False
        return merit(self.best) > merit(self.baseline)

    def as_dict(self) -> dict[str, Any]:
        return {
            "space": self.request.space,
            "target": self.request.target,
            "seed": self.request.seed,
            "proxy": {"name": self.request.proxy, "tau": self.tau},
            "tried": self.tried,
            "refused": self.refused,
            "kind": "emulated",
            "baseline": self.baseline,
            "front": list(self.front),
            "best": self.best["spec"] if self.best else None,
            "beats": self.beats,
        }


def merit(net: Mapping[str, Any]) -> float:
    return net.get("test", net["score"])


def search_nets(
    request: SearchRequest, say: Say = lambda _: None, note: Say = lambda _: None
) -> Searched:
    """Search a space for a device. `say` gets permanent lines, `note` the current step."""
    started = time.monotonic()
    request.require_whole()
    _require_firmware(request.target)
    facts = facts_of(request.data, request.input_size)
    space = open_space(request.space, facts.size, facts.classes)
    sampling = Sampling(request.population, request.seed)
    study = Study(
        request.study or str(request.output / STUDY),
        request.study_name(space.knobs),
        _VALUES,
        sampling,
    )
    open_data = opener(request.data) if request.data else None
    calibrate = request.calibrate or calibration_of(str(request.data), request.output)
    judge = Judge(request, open_data, calibrate, note)
    run = _NetSearch(request, space, study, judge, say)
    run.go(started)
    return run.end()


def _require_firmware(name: str) -> None:
    target = load_target(name)
    if not target.is_microcontroller:
        raise TargetError(
            f"nets are not searched for {target.title}",
            where="--target",
            why="RAM and instructions are planned and counted for firmware; a phone is measured",
            hint="a microcontroller, such as stm32f746; for a phone, edgevit sweep --models over zoo: specs",
        )


@dataclass(frozen=True)
class _NetSearch:
    request: SearchRequest
    nets: NetSpace
    study: Study
    judge: Judge
    say: Say

    def go(self, started: float) -> None:
        for number in self.study.recover():
            self.say(f"net {number} was cut off, and is taken up again")
        if count := len(self.study.tried()):
            self.say(f"{count} nets are taken over")
        baseline = self._baseline()
        limits = self.request.limits.also(baseline) if baseline else self.request.limits
        space, proposals, budget = self.nets.space(), self._first(), self.request.budget
        while True:
            tried = self.study.tried()
            late = budget.seconds is not None and time.monotonic() - started > budget.seconds
            if tried and (late or (budget.trials is not None and len(tried) >= budget.trials)):
                return
            running = self.study.begin(space, proposals[: self.request.population])
            if running is None:
                self.say("every net of the space has been tried")
                return
            self._try(running, limits, baseline)
            self.study.recover()

    def end(self) -> Searched:
        tried = self.study.tried()
        front = [self._tested(t.result, self._folder(t.key)) for t in pareto(tried)]
        baseline = self.study.note(_BASELINE, NET)
        if baseline is not None:
            baseline = self._tested(baseline, self._folder(_BASELINE))
        front = sorted(front, key=lambda net: net["ram"])
        refused = sum(not trial.values for trial in tried)
        return Searched(self.request, tuple(front), baseline, len(tried), refused, self._tau(tried))

    def _tested(self, net: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        entry = {name: value for name, value in net.items() if name not in {"values", "curve"}}
        if self.request.test is not None:
            entry["test"] = measured_test(self.judge, self.request.test, folder)
        return {**entry, "folder": str(folder)}

    def _folder(self, key: str) -> Path:
        return self.request.output / NETS / key

    def _baseline(self) -> dict[str, Any] | None:
        """Return the figures of the net to beat, trained and run once as all others are."""
        if self.request.beat is None:
            return None
        figures = self.study.note(_BASELINE, NET)
        if figures is None:
            folder = self._folder(_BASELINE)
            figures = self.judge.judge(self.request.beat, folder, NetLimits(), [])
            figures = {"spec": self.request.beat, **_scored(figures)}
            self.study.set_note(_BASELINE, figures)
        self.say(f"to beat: {_text(figures)}")
        return figures

    def _first(self) -> list[Point]:
        """Draw points, and return the first generation: of each class of cost the one that scores best."""
        score = self._score()
        if score is None:
            return []
        generator, space = random.Random(self.request.seed), self.nets.space()
        drawn = [space.drawn(generator) for _ in range(_POOL * self.request.population)]
        points = list({point_key(point): point for point in drawn}.values())
        scored = []
        for point in points:
            with contextlib.suppress(ValueError):  # knobs that do not go together
                source = build_source(self._spec(point), seed=self.request.seed)
                macs = macs_of(source.module, source.inputs)
                scored.append((macs, score(source.module, source.inputs), point))
        scored.sort(key=lambda entry: entry[0])
        count = min(self.request.population, len(scored))
        classes = [scored[k * len(scored) // count : (k + 1) * len(scored) // count] for k in range(count)]  # fmt: skip
        return [max(members, key=lambda entry: entry[1])[2] for members in classes]

    def _score(self) -> Score | None:
        name = self.request.proxy
        return PROXIES[name] if name in PROXIES else load_object(name)

    def _spec(self, point: Point) -> str:
        return self.nets.spec_of(point, self._folder(point_key(point)))

    def _try(self, running: Running, limits: NetLimits, baseline: Mapping[str, Any] | None) -> None:
        words, started = point_words(running.point), time.monotonic()
        folder = self._folder(running.key)
        try:
            spec = self._spec(running.point)
            figures = self.judge.judge(spec, folder, limits, self._peers(baseline))
        except InternalError as error:
            if error.exit_code == InternalError.exit_code:
                raise
            self._refuse(running, words, reason(error))
            return
        except (EdgevitError, ValueError) as error:
            self._refuse(running, words, reason(error) if isinstance(error, EdgevitError) else str(error))  # fmt: skip
            return
        seconds = round(time.monotonic() - started, 1)
        net = {"spec": spec, **_scored(figures), "proxy": self._proxy(spec), "seconds": seconds, "at": now()}  # fmt: skip
        self.study.finish(running, [-net["score"], net["ram"], net["instructions"]], net)
        self.say(f"net {running.number}: {_text(net)}")
        self._clear()

    def _refuse(self, running: Running, words: str, why: str) -> None:
        self.study.refuse(running, why)
        self.say(f"net {running.number}: {words}: refused, {why}")

    def _peers(self, baseline: Mapping[str, Any] | None) -> list[Peer]:
        nets = [t.result for t in self.study.tried() if t.values]
        return [
            Peer(n["planned"]["work"], n["planned"]["ram"], n["instructions"], n["curve"])
            for n in [*([baseline] if baseline else []), *nets]
        ]

    def _proxy(self, spec: str) -> float | None:
        score = self._score()
        if score is None:
            return None
        source = build_source(spec, seed=self.request.seed, trust=self.request.trust)
        return round(score(source.module, source.inputs), 4)

    def _clear(self) -> None:
        """Remove the exports of nets that others beat by now. Weights stay: they are small."""
        front = {trial.key for trial in pareto(self.study.tried())}
        for trial in self.study.tried():
            if trial.values and trial.key not in front:
                remove_export(self._folder(trial.key) / "export")

    def _tau(self, tried: Sequence[FinishedTrial]) -> float | None:
        pairs = [(t.result["proxy"], -t.values[0]) for t in tried if t.values and t.result["proxy"] is not None]  # fmt: skip
        return kendall(pairs)


def kendall(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Kendall's rank correlation: of all pairs that differ, those in order less the others."""
    signs = [
        (a[0] - b[0]) * (a[1] - b[1])
        for index, a in enumerate(pairs)
        for b in pairs[:index]
        if a[0] != b[0] and a[1] != b[1]
    ]
    return round(sum(1 if sign > 0 else -1 for sign in signs) / len(signs), 3) if signs else None


def _scored(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the figures with a score: of the firmware, or what the user's function gave."""
    return {"score": figures["float_score"], **figures}


def _text(net: Mapping[str, Any]) -> str:
    return f"{net['spec']}: {net['score']:.2f}, RAM {net['ram']:,}, {net['instructions']:,} instructions"
