"""Ethos-U backend for the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.ethos_u.lower import lower
from edgevit.backends.ethos_u.rules import FORMS, RULES
from edgevit.backends.on_host import check_on_host
from edgevit.graph.parity import Parity
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form


@dataclass(frozen=True)
class EthosU:
    rules: tuple[AnyRule, ...] = RULES
    forms: tuple[Form, ...] = FORMS

    def lower(self, request: Lowering) -> Artifact:
        return lower(request)

    def check(self, artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
        return check_on_host(artifact, expected)


BACKEND = EthosU()
