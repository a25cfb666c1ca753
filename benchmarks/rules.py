"""Every rule of every backend on every net of `nets.py`, held to its promise: docs/rules.md, by `make matrix`.

The promise: relative L2 <= 1e-5 for each rule alone and <= 1e-4 for a whole list; a second run of the list over its own
result finds nothing left to do. Nothing is lowered. Figures are kept in out/rules/, so an interrupted run goes on where
it stopped, as long as the code they are of is the same. The exit code is 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from nets import NETS

import edgevit
from edgevit.backends.api import backend_of
from edgevit.errors import EdgevitError
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.program import Program
from edgevit.rewrites import engine
from edgevit.support.backend_info import BACKENDS

CACHE = Path("out/rules")
ALONE, TOGETHER = 1e-5, 1e-4  # relative L2 of the outputs
Entry = dict[str, Any]  # by backend: what `held` says


@dataclass(frozen=True)
class Use:
    """One rule, at one place of one backend's list, on one net."""

    rule: str
    backend: str
    net: str
    places: int
    refused: int
    rel_l2: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--output", type=Path, help="write the page here (default: print it)")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    code = code_stamp()
    entries = {net: entry_for(net, code) for net in options.nets}
    text = page(entries)
    if options.output:
        options.output.write_text(text)
    else:
        print(text)
    broken = [line for net, entry in entries.items() for line in broken_promises(net, entry)]
    print("\n".join(broken) or "every promise is kept", file=sys.stderr)
    return bool(broken)


def code_stamp() -> str:
    """Of all that the figures depend on."""
    package = Path(edgevit.__file__).parent
    folders = ("graph", "rewrites", "frontend")
    files = [path for folder in folders for path in (package / folder).rglob("*.py")]
    files += package.glob("backends/*/rules.py")
    text = "".join(path.read_text() for path in sorted(files)) + torch.__version__
    return hashlib.sha256(text.encode()).hexdigest()


def entry_for(net: str, code: str) -> Entry:
    path = CACHE / f"{net}.json"
    earlier = json.loads(path.read_text()) if path.exists() else {}
    if earlier.get("code") == code:
        return earlier["entry"]
    started = time.perf_counter()
    program = capture(resolve(f"timm:{net}", weights="random"))
    states: engine.States = {}
    entry = {backend: held(program, backend, states) for backend in BACKENDS}
    path.write_text(json.dumps({"code": code, "entry": entry}))
    print(f"{net}: {time.perf_counter() - started:.1f} s", file=sys.stderr, flush=True)
    return entry


def held(program: Program, backend: str, states: engine.States) -> Entry:
    """What a backend's list did to a net, and what it would do once more."""
    rules = backend_of(backend).rules
    try:
        after, first = engine.run(program, rules, states=states)
        _, second = engine.run(after, rules)
    except EdgevitError as error:
        return {"error": f"{error.message}: {error.why}", "rules": [], "again": {}}
    return {
        "rules": [[use.rule, len(use.fired), len(use.refused), use.rel_l2] for use in first.rules],
        "again": {use.rule: list(use.fired) for use in second.rules if use.fired},
        "total": first.rel_l2,
    }


def broken_promises(net: str, entry: Entry) -> Iterator[str]:
    for backend, found in entry.items():
        where = f"{net}, {backend}"
        if "error" in found:
            yield f"{where}: {found['error']}"
            continue
        for rule, _, _, rel_l2 in found["rules"]:
            if not rel_l2 <= ALONE:
                yield f"{where}: `{rule}` is {rel_l2:.2e} off, and may be {ALONE:g}"
        for rule, places in found["again"].items():
            yield f"{where}: `{rule}` fires again, at {len(places)} places, the first: {places[0]}"
        if not found["total"] <= TOGETHER:
            yield f"{where}: all rules together are {found['total']:.2e} off, and may be {TOGETHER:g}"


def page(entries: dict[str, Entry]) -> str:
    uses = [
        Use(rule, backend, net, places, refused, rel_l2)
        for net, entry in entries.items()
        for backend, found in entry.items()
        for rule, places, refused, rel_l2 in found["rules"]
    ]
    broken = [line for net, entry in entries.items() for line in broken_promises(net, entry)]
    rows = [
        "# Every rule on every net",
        "",
        f"Written by `make matrix` with torch {torch.__version__}: {len(entries)} nets, live random weights, the net's "
        "own resolution, batch 1, float32 on a CPU.",
        "",
        f"A rule promises a relative L2 of the outputs of at most {ALONE:g} alone, a backend's whole list at most "
        f"{TOGETHER:g}, and a second run of the list over its own result finds nothing left to do. "
        + (f"{len(broken)} broken:" if broken else "All are kept on all nets."),
        "",
        *(f"- {line}" for line in broken),
        *([""] if broken else []),
        "*worst* is of one rule, all its places together, against the program before it: in float32, or in float64 where "
        "float32 is over the rule's own bound because the net amplifies rounding ([why](adr/0004-verify-in-float32-then-float64.md)). "
        "Places and refusals are of all nets and backends; a rule that a list has twice counts twice.",
        "",
        "| rule | backends | nets | places | refused | worst | where |",
        "|---|---|--:|--:|--:|--:|---|",
        *(rule_row(name, uses) for name in dict.fromkeys(use.rule for use in uses)),
        "",
        "## Whole lists",
        "",
        "The rewritten program against the captured one, in float32.",
        "",
        "| backend | rules | worst total | on | median total |",
        "|---|--:|--:|---|--:|",
        *(backend_row(backend, entries) for backend in BACKENDS),
        "",
    ]
    return "\n".join(rows)


def rule_row(name: str, uses: list[Use]) -> str:
    own = [use for use in uses if use.rule == name]
    fired = [use for use in own if use.places]
    backends = list(dict.fromkeys(use.backend for use in own))
    among = "all" if len(backends) == len(BACKENDS) else ", ".join(backends)
    refused = sum(use.refused for use in own)
    if not fired:
        return f"| {name} | {among} | 0 | 0 | {refused} | | |"
    worst = max(fired, key=lambda use: use.rel_l2)
    nets = len({use.net for use in fired})
    places = sum(use.places for use in fired)
    figure, where = f"{worst.rel_l2:.1e}", f"{worst.net}, {worst.backend}"
    if not worst.rel_l2:
        figure, where = "0", "all"
    return f"| {name} | {among} | {nets} | {places} | {refused} | {figure} | {where} |"


def backend_row(backend: str, entries: dict[str, Entry]) -> str:
    found = {net: entry[backend] for net, entry in entries.items() if "total" in entry[backend]}
    totals = {net: entry["total"] for net, entry in found.items()}
    if not totals:
        return f"| {backend} | | | no net went through | |"
    worst = max(totals, key=lambda net: totals[net])
    middle = sorted(totals.values())[len(totals) // 2]
    rules = len(found[worst]["rules"])
    return f"| {backend} | {rules} | {totals[worst]:.1e} | {worst} | {middle:.1e} |"


if __name__ == "__main__":
    sys.exit(main())
