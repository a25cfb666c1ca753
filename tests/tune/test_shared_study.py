"""A study in PostgreSQL: the same command on many machines."""

from __future__ import annotations

import pytest

from edgevit.tune.study import Study
from tests.servers import postgresql
from tests.tune.test_study import SPACE

pytest.importorskip("optuna", reason="pip install 'edgevit[tune]'")


def test_machines_share_a_study() -> None:
    pytest.importorskip("psycopg", reason="pip install 'edgevit[store]'")
    with postgresql() as url:
        one = Study(url, "s", 2)
        other = Study(url, "s", 2)
        wanted = [SPACE.default(), SPACE.default("b")]
        first, second = one.begin(SPACE, wanted), other.begin(SPACE, wanted)
        assert first and second and [first.point, second.point] == wanted
        one.finish(first, [1.0, 2.0], {"figures": {"kind": "emulated"}})
        other.refuse(second, "too large")
        other.set_note("model", {"graph": "ab", "no_effect": {}, "convert_threads": 1})
        assert one.note("model") == {"graph": "ab", "no_effect": {}, "convert_threads": 1}
        assert [(t.values, t.refused) for t in one.tried()] == [((1.0, 2.0), ""), ((), "too large")]
