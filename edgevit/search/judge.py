"""One candidate: planned for the device, trained, exported and run, each step refusing what the last let pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgevit.errors import BudgetError, ParityError
from edgevit.evaluate import accuracy_on
from edgevit.export import export, inspect
from edgevit.exported import remove_export
from edgevit.frontend import ModelSource, build_source, load_into, save_weights
from edgevit.quantize import CalibrationOptions
from edgevit.search.learning_data import LearningData
from edgevit.search.request import NetLimits, SearchRequest
from edgevit.search.train import Curve, Rungs, train, train_by

WEIGHTS = "weights.safetensors"
_TRAINED = "trained.json"
_EXPORT = "export"
_SURE = 0.9  # of the fewest instructions that a planned unit of work has taken
Say = Callable[[str], None]


@dataclass(frozen=True)
class PlannedNeed:
    """What the device needs for a net, by its plan. `work` goes with the instructions."""

    ram: int
    flash: int
    work: int

    def as_dict(self) -> dict[str, int]:
        return {"ram": self.ram, "flash": self.flash, "work": self.work}


@dataclass(frozen=True)
class Peer:
    """A finished net, as others are held against it."""

    work: int
    ram: int
    instructions: int
    curve: Curve


@dataclass(frozen=True)
class Judge:
    request: SearchRequest
    open_data: Callable[[ModelSource], LearningData] | None
    calibrate: str
    note: Say

    def judge(
        self, spec: str, folder: Path, limits: NetLimits, peers: Sequence[Peer]
    ) -> dict[str, Any]:
        """Return the figures of a net, or raise the error for which it is refused."""
        need = self._planned(spec, limits, peers)
        source = build_source(spec, seed=self.request.seed, trust=self.request.trust)
        cheaper = [p.curve for p in peers if p.work <= need.work and p.ram <= need.ram]
        learnt = self._trained(source, folder, cheaper)
        return {**learnt, "planned": need.as_dict(), **self._run(spec, source, folder, limits)}

    def _planned(self, spec: str, limits: NetLimits, peers: Sequence[Peer]) -> PlannedNeed:
        self.note(f"plan {spec}")
        target, trust = self.request.target, self.request.trust
        needs: Any = inspect(spec, target=target, trust=trust).as_dict()["needs"]
        need = PlannedNeed(needs["arena_bytes"], needs["constant_bytes"], needs["work"])
        least = min((peer.instructions / peer.work for peer in peers), default=0.0) * _SURE
        planned = {"ram": need.ram, "flash": need.flash, "instructions": int(need.work * least)}
        if over := limits.over(planned):
            raise BudgetError(f"it is planned to take {over}")
        if needs["shortfall"]:
            raise BudgetError(f"it does not fit: {needs['shortfall']['what']}")
        return need

    def _trained(self, source: ModelSource, folder: Path, cheaper: Sequence[Curve]) -> dict[str, Any]:  # fmt: skip
        """Train, or take what a run that was killed since has trained."""
        path, record = folder / WEIGHTS, folder / _TRAINED
        if path.is_file() and record.is_file():
            load_into(source.module, str(path), trust=False)
            return json.loads(record.read_text())
        self.note(f"train {source.spec}")
        rungs = Rungs(cheaper)
        source.module.requires_grad_(True)
        torch.manual_seed(self.request.seed)
        if self.request.train is not None:
            score = train_by(self.request.train, source.module, rungs.report)
        else:
            assert self.open_data is not None
            data, recipe = self.open_data(source), self.request.recipe
            score = train(source.module, data, recipe, self.request.seed, rungs.report)
        learnt = {"float_score": round(score, 3), "curve": rungs.curve}
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(source.module, path)
        record.write_text(json.dumps(learnt))
        return learnt

    def _run(
        self, spec: str, source: ModelSource, folder: Path, limits: NetLimits
    ) -> dict[str, Any]:
        """Export the trained net, run it, and score what runs."""
        self.note(f"export {spec}, and run it")
        directory = folder / _EXPORT
        remove_export(directory)
        result = export(
            spec,
            target=self.request.target,
            weights=str(folder / WEIGHTS),
            calibration=CalibrationOptions(calibrate=self.calibrate),
            image_input=None if Path(self.calibrate).is_dir() else False,
            trust=self.request.trust,
            output=directory,
        )
        if not result.passed:
            raise ParityError(f"the export of {spec} does not compute what the net does")
        figures = measured(result.manifest)
        if over := limits.over(figures):
            raise BudgetError(f"it takes {over}")
        return {**figures, **self._score(source, directory), "command": result.manifest["command"]}

    def _score(self, source: ModelSource, directory: Path) -> dict[str, float]:
        if self.open_data is None:
            return {}
        assert self.request.data is not None
        rows = self.open_data(source).rows
        return {"score": round(accuracy_on(directory, self.request.data, rows).top1, 3)}


def measured(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Return what the emulated core has counted."""
    execution = manifest["firmware"].get("execution")
    if execution is None:
        raise BudgetError(
            "nothing has run the firmware",
            why="the tools that build and run it are not installed",
            hint="pip install 'edgevit[mcu]'; edgevit doctor lists them",
        )
    memory = execution["memory"]
    return {
        "ram": memory["ram_bytes"],
        "flash": memory["flash_bytes"],
        "instructions": execution["instructions"],
    }


def measured_test(judge: Judge, data: str, directory: Path) -> float:
    """Return the accuracy of an exported net on data that nothing was chosen by."""
    judge.note(f"test {directory}")
    return round(accuracy_on(directory / _EXPORT, data).top1, 3)
