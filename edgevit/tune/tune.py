"""`edgevit tune`: try, measure, confirm, write the plan. A killed run resumes: steps are stored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from edgevit.backends import backend_for
from edgevit.errors import BudgetError, EdgevitError, StoreError
from edgevit.export import ExportPlan, ExportRequest, Made, graph_hash, plan_text
from edgevit.frontend import ModelOptions, build_source, capture
from edgevit.measure import Runner, open_runner, open_store
from edgevit.rewrites.lossy.table import lossy_choices
from edgevit.support.backend_info import BACKENDS, firmware_formats, host_formats
from edgevit.support.host import now
from edgevit.support.notebook import Row, Shown
from edgevit.support.pareto_plot import Dot, Panel, pareto_svg
from edgevit.targets import load_target
from edgevit.tune.artifacts import Artifacts, facts_of
from edgevit.tune.confirm import confirm, finalists
from edgevit.tune.no_effect_options import no_effect_options
from edgevit.tune.objective import LatencyObjective, TrialExport, objective_for, reason
from edgevit.tune.pareto import pareto
from edgevit.tune.request import TuneRequest
from edgevit.tune.space import Point, Space, formats_of, point_key, point_text, space_for
from edgevit.tune.study import FinishedTrial, Running, Study

PLAN = "plan.toml"
PLANS = "plans"  # plans of a Pareto front, one per point
TRIALS = "trials.json"
STUDY = "study.sqlite"
PICTURE = "pareto.svg"
_CONFIRM = 2  # factor on the rounds of a trial

Say = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class Tuned(Shown):
    """Result of a search. `file` is the plan, which `edgevit export --plan` takes."""

    plan: ExportPlan
    file: Path
    tried: tuple[FinishedTrial, ...]
    pareto_front: tuple[FinishedTrial, ...]  # of firmware; the winner alone for latency
    space: Space

    def _title(self) -> str:
        return f"{self.plan.model} for {self.plan.target}"

    def _rows(self) -> Iterator[Row]:
        done = sum(bool(trial.values) for trial in self.tried)
        yield "verdict", self.plan.verdict
        chosen = ", ".join(f"{k}={v}" for k, v in self.plan.chosen.items()) or "defaults"
        yield "choices", f"{self.plan.format} {self.plan.precision}, {chosen}"
        yield "trials", f"{done}, and {len(self.tried) - done} refused"
        yield "plan", str(self.file)

    def as_dict(self) -> dict[str, Any]:
        front = [{"point": dict(t.point), **t.result["figures"]} for t in self.pareto_front]
        return {
            "plan": str(self.file),
            "verdict": self.plan.verdict,
            "choices": {**self.plan.chosen, "format": self.plan.format},
            "figures": dict(self.plan.figures),
            "pareto_front": front,
            "trials": sum(bool(t.values) for t in self.tried),
            "refused": sum(not t.values for t in self.tried),
        }


def tune_model(
    request: TuneRequest, say: Say = lambda _: None, note: Say = lambda _: None
) -> Tuned:
    """Tune a model for a target. `say` gets permanent lines, `note` the current step."""
    started = time.monotonic()
    request.require_data()
    request = replace(request, target=load_target(request.target).name)
    runner = open_runner(request.on)
    space = _space(request, runner)
    objectives = 1 if runner.interleaved else 2
    study = Study(
        request.study or str(request.output / STUDY), request.study_name(space), objectives
    )
    graph, space = _narrowed(request, space, study, note)
    with open_store(request.store) as store:
        objective = objective_for(
            runner, request.rounds, store, request.max_ram(space.formats), note
        )
        work = Artifacts(request.output / "work", request.said_words())
        search = _Search(request, space, study, objective, work, graph, say, note)
        search.run(started)
        return search.end(runner)


def _space(request: TuneRequest, runner: Runner) -> Space:
    target = load_target(request.target)
    taken = host_formats() if runner.interleaved else firmware_formats()
    formats = formats_of(
        target, request.formats, tuple(BACKENDS) if _elsewhere(request.on) else taken
    )
    export_request = ExportRequest(options=request.backend_options, calibration=request.calibration)
    for format in formats:
        backend, precision = backend_for(format, target), target.precision(format=format)
        export_request.reject_inapplicable(format, backend, precision)
    export_request.reject_unused({format: target.written(format) for format in formats})
    cores = runner.device().cores if request.on == "local" else 1
    pictures = request.calibration.calibrate is not None
    return space_for(target, formats, cores, request.lossy, pictures)


def _elsewhere(on: str) -> bool:
    return on not in {"local", "emulator"}


def _narrowed(request: TuneRequest, space: Space, study: Study, note: Say) -> tuple[str, Space]:
    """Return the graph's hash, and the space without options that have no effect on it.

    Computed once for all workers.
    """
    notes = study.note("model")
    if notes is None:
        note(f"capture {request.model}")
        target = load_target(request.target)
        source = build_source(request.model, **vars(ModelOptions(**request.options).on(target)))
        program = capture(source)
        firmware = any(BACKENDS[format].firmware for format in space.formats)
        lossy = lossy_choices(True, firmware) if request.lossy else ()
        no_effect = no_effect_options(program, target, space.formats, note, lossy)
        notes = {
            "graph": graph_hash(program),
            "no_effect": no_effect,
            "convert_threads": torch.get_num_threads(),
        }
        study.set_note("model", notes)
    no_effect = {
        f: [(name, option) for name, option in pairs] for f, pairs in notes["no_effect"].items()
    }
    return notes["graph"], space.without(no_effect)


@dataclass(frozen=True)
class _Search:
    request: TuneRequest
    space: Space
    study: Study
    objective: Any
    work: Artifacts
    graph: str
    say: Say
    note: Say

    def run(self, started: float) -> None:
        for number in self.study.recover():
            self.say(f"trial {number} was cut off, and is tried again")
        finished = len(self.study.tried())
        if finished:
            self.say(f"{finished} finished trials are taken over")
        budget = self.request.budget
        while True:
            tried = self.study.tried()
            default = self._default(tried)
            if default is not None:
                if budget.seconds is not None and time.monotonic() - started > budget.seconds:
                    return
                if budget.trials is not None and len(tried) >= budget.trials:
                    return
            running = self.study.begin(self.space, self._proposals(tried, default))
            if running is None:
                self.say("everything there is to choose has been tried")
                return
            self._try(running)
            self.study.recover()

    def end(self, runner: Runner) -> Tuned:
        tried = self.study.tried()
        default = self._default(tried)
        if default is None:
            raise StoreError(
                "the default has not been measured yet",
                why="another worker of the study is measuring it, and everything else is measured",
                hint="run the same command again when that worker has ended",
                retryable=True,
            )
        if isinstance(self.objective, LatencyObjective):
            plan, front = self._fastest(self.objective, tried, default)
        else:
            plan, front = self._smallest(tried, default)
        plan = replace(plan, device=_device_facts(runner.device().as_dict()))
        return self._written(plan, tried, front)

    def _default(self, tried: Sequence[FinishedTrial]) -> FinishedTrial | None:
        key = point_key(self.space.default())
        return next((t for t in tried if t.key == key and t.values), None)

    def _proposals(
        self, tried: Sequence[FinishedTrial], default: FinishedTrial | None
    ) -> list[Point]:
        """Return points to try before the sampler's.

        First the default, then every format's default and single changes of the best point so far.
        """
        if default is None:
            return [self.space.default()]
        defaults = [self.space.default(format) for format in self.space.formats]
        best = min((t for t in tried if t.values), key=lambda t: t.values[-1])
        return [*defaults, *self.space.changes(best.point)]

    def _plan(self, point: Point) -> ExportPlan:
        threads = self.study.note("model")["convert_threads"]
        return self.request.plan(point, self.space, self.graph, threads)

    def _artifact(self, point: Point) -> tuple[TrialExport, dict[str, Any]]:
        plan = self._plan(point)
        folder, manifest = self.work.build(point_key(point), plan)
        return TrialExport(folder, plan.threads), manifest

    def _try(self, running: Running) -> None:
        """Run one trial. An error refuses the trial, or ends the search if it is the default's."""
        text = point_text(running.point, self.space)
        is_default = running.key == point_key(self.space.default())
        started = time.monotonic()
        try:
            self.note(f"trial {running.number}: export {text}")
            artifact, manifest = self._artifact(running.point)
            facts = facts_of(manifest)
            self._require_near(facts["drop"])
            self._require_accurate(facts["accuracy"])
            self.study.beat(running.number)
            default, _ = (artifact, {}) if is_default else self._artifact(self.space.default())
            values, figures = self.objective.judge(artifact, default)
        except EdgevitError as error:
            if is_default:
                self.study.drop(running)
                raise
            self.study.refuse(running, reason(error))
            self.say(f"trial {running.number}: {text}: refused, {reason(error)}")
            return
        seconds = round(time.monotonic() - started, 1)
        result = {**facts, "figures": figures, "seconds": seconds, "at": now()}
        self.study.finish(running, values, result)
        self.say(f"trial {running.number}: {text}: {_figures_text(figures)}")
        self.work.keep_only(self._worth_keeping())

    def _require_near(self, drop: float) -> None:
        limit = self.request.max_drop
        if limit is not None and drop > limit:
            raise BudgetError(f"its cosine is {drop:.2g} below 1, and --max-drop is {limit:g}")

    def _require_accurate(self, accuracy: dict[str, float] | None) -> None:
        limit = self.request.max_top1_drop
        if limit is not None and accuracy and accuracy["drop"] > limit + 1e-9:
            raise BudgetError(
                f"it loses {accuracy['drop']:.2f} points of top-1, and --max-top1-drop is {limit:g}"
            )

    def _worth_keeping(self) -> list[str]:
        tried = self.study.tried()
        default = self._default(tried)
        best = (
            finalists(tried, default)
            if default and isinstance(self.objective, LatencyObjective)
            else []
        )
        return [point_key(self.space.default()), *(t.key for t in best)]

    def _fastest(
        self, objective: LatencyObjective, tried: Sequence[FinishedTrial], default: FinishedTrial
    ) -> tuple[ExportPlan, list[FinishedTrial]]:
        self.note("measure the best again")
        best = [(t, self._artifact(t.point)[0]) for t in finalists(tried, default)]
        own = self._artifact(default.point)[0]
        measured = sum(bool(t.values) for t in tried)
        verdict = confirm(objective, (default, own), best, _CONFIRM * self.request.rounds, measured)
        plan = self._filled(verdict.winner, verdict.figures, verdict.text)
        return plan, [verdict.winner]

    def _smallest(
        self, tried: Sequence[FinishedTrial], default: FinishedTrial
    ) -> tuple[ExportPlan, list[FinishedTrial]]:
        front = pareto(tried)
        best = min(front, key=lambda t: t.values[-1])
        figures = best.result["figures"]
        text = (
            f"{len(front)} points between {front[0].result['figures']['ram_bytes']:,} and "
            f"{front[-1].result['figures']['ram_bytes']:,} bytes of RAM; this is the one with the fewest "
            f"instructions: x{best.values[-1] / default.values[-1]:.4f} of the default's"
        )
        return self._filled(best, figures, text), front

    def _filled(self, trial: FinishedTrial, figures: dict[str, Any], verdict: str) -> ExportPlan:
        return replace(
            self._plan(trial.point),
            artifact=Made(**trial.result["artifact"]),
            versions=trial.result["versions"],
            verdict=verdict,
            figures={**figures, "drop": trial.result["drop"], "on": self.request.on},
        )

    def _written(
        self, plan: ExportPlan, tried: Sequence[FinishedTrial], front: Sequence[FinishedTrial]
    ) -> Tuned:
        output = self.request.output
        output.mkdir(parents=True, exist_ok=True)
        if "ram_bytes" in plan.figures:
            self._write_pareto_front(plan, front)
        entries = [
            {
                "number": t.number,
                "key": t.key,
                "point": dict(t.point),
                "refused": t.refused,
                **t.result,
            }
            for t in tried
        ]
        (output / TRIALS).write_text(json.dumps(entries, indent=1) + "\n")
        (output / PLAN).write_text(plan_text(plan))
        return Tuned(plan, output / PLAN, tuple(tried), tuple(front), self.space)

    def _write_pareto_front(self, plan: ExportPlan, front: Sequence[FinishedTrial]) -> None:
        """Write a plan for each point of the Pareto front, and the picture."""
        folder = self.request.output / PLANS
        folder.mkdir(exist_ok=True)
        for old in folder.glob("ram-*.toml"):
            old.unlink()
        for trial in front:
            figures = trial.result["figures"]
            own = replace(self._filled(trial, figures, "a point of the front"), device=plan.device)
            (folder / f"ram-{figures['ram_bytes']}.toml").write_text(plan_text(own))
        dots: dict[tuple[float, ...], Dot] = {}  # the first of several with equal figures
        for t in self.study.tried():
            if t.values:
                label = point_text(t.point, self.space).partition(" ")[2] or "default"
                dots.setdefault(t.values, Dot(t.values[0], t.values[1], label))
        title = f"{self.request.model} for {self.request.target}, emulated"
        panel = Panel(title, "RAM, bytes", "instructions", tuple(dots.values()))
        (self.request.output / PICTURE).write_text(pareto_svg([panel]))


def _figures_text(figures: dict[str, Any]) -> str:
    if "instructions" in figures:
        return f"{figures['instructions']:,} instructions, RAM {figures['ram_bytes']:,} bytes"
    if "ratio" not in figures:
        return f"{figures['ms']:.3g} ms, the default"
    return (
        f"{figures['ms']:.3g} ms, x{figures['ratio']:.3f} of the default "
        f"(x{figures['ratio_low']:.3f}..{figures['ratio_high']:.3f})"
    )


def _device_facts(device: dict[str, Any]) -> dict[str, Any]:
    """Return the device's constant properties, without those that identify the user's machine."""
    fields = ("cpu", "cores", "memory_mb", "os", "governor", "machine", "versions")
    return {name: device[name] for name in fields if device.get(name) is not None}
