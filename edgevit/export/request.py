"""Export options other than format and precision, and checks that the format supports them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgevit.backends import Artifact, Backend, require_all_inside, require_engine
from edgevit.errors import DelegationError, UsageError
from edgevit.evaluate import NO_EVALUATION, EvaluationOptions
from edgevit.export.vain import (
    inapplicable_calibration,
    inapplicable_delegation,
    inapplicable_engine,
    inapplicable_integers,
    inapplicable_labels,
    inapplicable_options,
)
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.quantize import GENERATED, CalibrationOptions, IntegerPlacement
from edgevit.rewrites.foreign import foreign_rules
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import formed
from edgevit.support.backend_info import info_of, is_integer
from edgevit.support.backend_options import BackendOptions, options_info, shared_flags
from edgevit.support.choice import Choice, Settings, require_known


@dataclass(frozen=True)
class ExportRequest:
    require_delegated: bool = False
    require_ane: bool = False
    require_integer: bool = False
    options: Mapping[str, BackendOptions] = field(
        default_factory=dict[str, BackendOptions]
    )  # by format
    calibration: CalibrationOptions = GENERATED
    chosen: Settings = field(
        default_factory=dict[str, str]
    )  # options chosen of the backend's choices
    graph: str = ""  # expected `graph_hash`: that of the plan's model
    labels: bool = False  # of the user's own
    evaluation: EvaluationOptions = NO_EVALUATION

    def reject_inapplicable(self, format: str, backend: Backend, precision: str) -> None:
        if self.require_ane and info_of(format).engine is None:
            raise inapplicable_engine(format)
        if self.require_delegated and not info_of(format).delegates:
            raise inapplicable_delegation(format)
        if self.require_integer and not is_integer(precision):
            raise inapplicable_integers(format, precision)
        if self.labels and not info_of(format).holds_labels:
            raise inapplicable_labels(format)
        require_known(self.chosen, choices_of(format, backend), format)

    def reject_unused(
        self, precisions: Mapping[str, Sequence[str]], calibrated: bool = False
    ) -> None:
        """Refuse options that no format of the export heeds. `precisions`: by format.

        `calibrated`: a lossy step reads the calibration inputs.
        """
        shared = {flag for format in precisions for flag in shared_flags(format)}
        for format, options in self.options.items():
            info = options_info(format)
            if format in precisions or info is None:
                continue
            if flags := [flag for flag in info.flags(options) if flag not in shared]:
                raise inapplicable_options(flags, format, precisions)
        calibrated |= any(set(info_of(f).calibrates) & set(p) for f, p in precisions.items())
        if self.calibration != GENERATED and not calibrated:
            raise inapplicable_calibration(self.calibration, precisions)

    def rules(self, backend: Backend, format: str) -> tuple[AnyRule, ...]:
        """Return the backend's rules in the chosen forms, then the rules of other distributions."""
        return (*formed(backend.rules, backend.forms, self.chosen), *foreign_rules(format))

    def options_for(self, format: str) -> BackendOptions | None:
        """Return the options of the format's backend, with choices taking precedence.

        The command line refuses to have both.
        """
        info = options_info(format)
        if info is None:
            return None
        return info.with_choices(self.options.get(format, info.default), self.chosen)

    def require_graph(self, program: Program) -> None:
        if self.graph and graph_hash(program) != self.graph:
            raise UsageError(
                "the plan was made for another model",
                why="the captured graph is not the one that was tuned",
                hint="tune this model: edgevit tune MODEL --target T --on R",
            )

    def check_integers(self, placement: IntegerPlacement) -> None:
        """Refuse calls that compute in floats, where all were to compute in integers."""
        islands = placement.islands
        if not self.require_integer or not islands:
            return
        raise DelegationError(
            f"{len(islands)} calls compute in floats",
            where="\n".join(f"{one.kind}   {one.module}  {one.source}".rstrip() for one in islands),
            why="--require-integer was given; "
            + "; ".join(dict.fromkeys(one.why for one in islands)),
            hint="write these lines with other ops, or export without it",
        )

    def check_requirements(self, artifact: Artifact) -> None:
        if self.require_delegated:
            if artifact.delegation is None:
                raise inapplicable_delegation(artifact.format)
            require_all_inside(artifact.delegation)
        if self.require_ane and artifact.placement is not None:
            require_engine(artifact.placement)


DEFAULT_REQUEST = ExportRequest()


def choices_of(format: str, backend: Backend) -> tuple[Choice, ...]:
    """Return all choices of the backend for a format."""
    info = options_info(format)
    return (*(form.choice for form in backend.forms), *(info.choices if info else ()))


def graph_hash(program: Program) -> str:
    """Return the hash of the graph, without the values of the weights."""
    return hashlib.sha256(graph_text(program).encode()).hexdigest()
