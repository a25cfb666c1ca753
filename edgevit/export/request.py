"""Export options other than format and precision, and checks that the format supports them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace

from edgevit.backends.api import Backend
from edgevit.backends.artifact import Artifact
from edgevit.backends.delegation import require_all_inside
from edgevit.backends.mcu.options import CHOICES, NO_WISHES, FirmwareOptions
from edgevit.backends.placement import require_engine
from edgevit.errors import UsageError
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.rewrites.foreign import foreign_rules
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import formed
from edgevit.support.backend_info import info_of
from edgevit.support.choice import Choice, Settings, require_known


@dataclass(frozen=True)
class Wishes:
    require_delegated: bool = False
    require_ane: bool = False
    firmware: FirmwareOptions = NO_WISHES
    chosen: Settings = field(default_factory=dict)  # options chosen of the backend's choices
    graph: str = ""  # expected `graph_hash`: that of the plan's model
    labels: bool = False  # of the user's own

    def refuse_vain(self, format: str, backend: Backend) -> None:
        if self.require_ane and info_of(format).engine is None:
            raise UsageError(
                f"--require-ane says nothing about {format}",
                where="--require-ane",
                why="only Core ML runs ops on the Neural Engine",
                hint="export without it, or with --format coreml",
            )
        if self.require_delegated and not info_of(format).delegates:
            raise vain_delegation(format)
        if self.labels and not info_of(format).holds_labels:
            raise UsageError(
                f"--labels says nothing about {format}",
                where="--labels",
                why="only a Core ML package holds labels",
                hint="export without it, or with --format coreml",
            )
        if self.firmware != NO_WISHES and not info_of(format).firmware:
            raise vain_firmware(self.firmware, format)
        require_known(self.chosen, choices_of(format, backend), format)

    def rules(self, backend: Backend, format: str) -> tuple[AnyRule, ...]:
        """Return the backend's rules in the chosen forms, then the rules of other distributions."""
        return (*formed(backend.rules, backend.forms, self.chosen), *foreign_rules(format))

    def for_firmware(self) -> FirmwareOptions:
        """Return the firmware options, with choices taking precedence.

        The command line refuses to have both.
        """
        found = self.firmware
        for choice in CHOICES:
            option = self.chosen.get(choice.name, choice.default)
            if option != choice.default:
                value = int(option) if choice.name == "tile" else option
                found = replace(found, **{choice.name: value})
        return found

    def require_graph(self, program: Program) -> None:
        if self.graph and graph_hash(program) != self.graph:
            raise UsageError(
                "the plan was made for another model",
                why="the captured graph is not the one that was tuned",
                hint="tune this model: edgevit tune MODEL --target T --on R",
            )

    def require_met(self, artifact: Artifact) -> None:
        if self.require_delegated:
            if artifact.delegation is None:
                raise vain_delegation(artifact.format)
            require_all_inside(artifact.delegation)
        if self.require_ane and artifact.placement is not None:
            require_engine(artifact.placement)


NO_MORE = Wishes()


def vain_delegation(format: str) -> UsageError:
    return UsageError(
        f"--require-delegated says nothing about {format}",
        where="--require-delegated",
        why="what runs where is decided on the device, not in the file",
        hint="export without it",
    )


def require_heeded(firmware: FirmwareOptions, target: str | None) -> None:
    """Refuse firmware options without a target: nothing is planned without one."""
    if target is None and firmware != NO_WISHES:
        raise vain_firmware(firmware, "no target")


def vain_firmware(firmware: FirmwareOptions, format: str) -> UsageError:
    """Return the error for options that apply to firmware alone. Each option is named."""
    said = [
        "--" + option.name.replace("_", "-")
        for option in fields(firmware)
        if getattr(firmware, option.name) != getattr(NO_WISHES, option.name)
    ]
    return UsageError(
        f"{', '.join(said)} says nothing about {format}",
        where=" ".join(said),
        why="only firmware is calibrated, planned and laid out: it is for microcontrollers",
        hint="leave it out, or --target a board: `edgevit targets` lists them",
    )


def choices_of(format: str, backend: Backend) -> tuple[Choice, ...]:
    """Return all choices of the backend for a format."""
    return (
        *(form.choice for form in backend.forms),
        *(CHOICES if info_of(format).firmware else ()),
    )


def graph_hash(program: Program) -> str:
    """Return the hash of the graph, without the values of the weights."""
    return hashlib.sha256(graph_text(program).encode()).hexdigest()
