"""The skeleton in docs/adding-a-kernel.md: copied as it stands, it is a kernel that computes what it should."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.kernels import dsp_rows, table
from edgevit.backends.mcu.kernels.card import Card
from edgevit.backends.mcu.schedule.simple import simple_plan
from edgevit.integer.ops.pointwise import Lookup
from edgevit.support.resources import data_dir
from tests import ROOT
from tests.backends.mcu.cases import graph_of, lookup
from tests.backends.mcu.on_cores import check_on_core, programs_of

_PAGE = ROOT / "docs" / "adding-a-kernel.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def test_the_skeleton_is_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, prototype), (_, source), (_, line) = _BLOCK.findall(_PAGE.read_text())
    header = (data_dir("kernels") / "include" / "ev_kernels_dsp.h").read_text()
    (tmp_path / "ev_kernels_dsp.h").write_text(header.replace("#endif", f"{prototype}\n#endif"))
    (tmp_path / "ev_lookup_s8_dsp.c").write_text(source)
    card = eval(line, {**vars(dsp_rows), "Lookup": Lookup})
    assert isinstance(card, Card) and card.function in source and card.function in prototype
    assert card.sources == ("pointwise/ev_lookup_s8_dsp.c",)
    added = replace(card, sources=(str(tmp_path / "ev_lookup_s8_dsp.c"),))
    monkeypatch.setattr(table, "CARDS", (added, *table.CARDS))

    rng = np.random.default_rng(11)
    singles = [lookup(rng, count) for count in (1, 4, 90)]
    plans = [simple_plan(graph_of(op), CORES["m4"]) for op, _ in singles]
    cases = programs_of(plans, [inputs for _, inputs in singles])
    assert all("ev_lookup_s8_dsp(" in case.emitted.source for case in cases)
    for debug in (False, True):
        check_on_core(cases, "m4", "zig", tmp_path, debug=debug)
