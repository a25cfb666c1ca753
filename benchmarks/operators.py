"""PyTorch's operators through each format: one table, written to docs/operators.md by `make operators`.

Each case of `operator_cases.py` is exported, and the artifact is run on the example and on fresh
values. An answer is `exact`, `refused` (an error of ours that says why), `failed` (an export that says
itself that it departs), or what must not be: `wrong` (an export that passed, and departs on fresh
values) and `crash` (an error that is not ours to show, or a dead process).

The exports run in a worker process for each group of formats. Answers are kept in out/operators/,
so an interrupted run goes on where it stopped; `--again ANSWER` asks once more for those with it.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

CACHE = Path("out/operators")
GROUPS = {"linux-x86": ("onnx", "tflite", "executorch"), "iphone": ("coreml",)}
RARE = ("fft.", "linalg.", "masked.", "special.", "polygamma")
LIMIT = 180  # seconds for a case in one group of formats
ANSWERS = ("exact", "refused", "failed", "wrong", "crash")
State = dict[str, dict[str, Any]]  # by case and format


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operators", nargs="*", help="only operators of these names")
    parser.add_argument("--every", type=int, default=1, help="only each n-th case")
    parser.add_argument("--again", nargs="*", default=[], choices=ANSWERS)
    parser.add_argument("--output", type=Path, help="write the table here")
    parser.add_argument("--group", choices=GROUPS, action="append")
    parser.add_argument("--no-run", action="store_true", help="only write the table")
    parser.add_argument("--worker", choices=GROUPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.worker:
        return serve(options.worker)
    CACHE.mkdir(parents=True, exist_ok=True)
    if not options.no_run:
        names = in_order(case.name for case in all_cases(options.operators))[:: options.every]
        for group in options.group or GROUPS:
            run_group(group, names, options.again, bool(options.operators))
    states = {format: load_state(format) for formats in GROUPS.values() for format in formats}
    from operator_page import render, render_json

    if options.output:
        options.output.write_text(render(states))
        options.output.with_suffix(".json").write_text(render_json(states))
    counts = {
        f: {a: sum(e["answer"] == a for e in s.values()) for a in ANSWERS}
        for f, s in states.items()
    }
    print(json.dumps(counts, indent=1), file=sys.stderr)
    return int(any(count["wrong"] or count["crash"] for count in counts.values()))


def all_cases(only: Sequence[str] = ()) -> Iterator[Any]:
    from operator_cases import cases_of, operators

    for op in operators():
        if not only or op.name in only:
            yield from cases_of(op)


def in_order(names: Iterable[str]) -> list[str]:
    """Return the names mixed, so that a part of a run stands for all; rare families come last."""
    return sorted(names, key=lambda name: (name.startswith(RARE), crc32(name.encode())))


def state_path(format: str) -> Path:
    return CACHE / f"{format}.jsonl"


def load_state(format: str) -> State:
    """Return the last answer of each case."""
    path = state_path(format)
    lines = path.read_text().splitlines() if path.exists() else []
    return {entry["case"]: entry for entry in map(json.loads, lines)}


def run_group(group: str, names: Sequence[str], again: Sequence[str], fresh: bool) -> None:
    states = {format: load_state(format) for format in GROUPS[group]}

    def is_open(name: str) -> bool:
        entries = [state.get(name) for state in states.values()]
        return fresh or any(e is None or e["answer"] in again for e in entries)

    worker: subprocess.Popen[str] | None = None
    for name in filter(is_open, names):
        worker = worker or start_worker(group)
        answers = ask(worker, name)
        if answers is None:
            why = f"the process ended with {worker.poll()}"
            worker.kill()
            worker.wait()
            worker = None
            answers = {f: {"answer": "crash", "why": why} for f in GROUPS[group]}
        for format, answer in answers.items():
            with state_path(format).open("a") as file:
                file.write(json.dumps({"case": name, **answer}) + "\n")
            if answer["answer"] in ("wrong", "crash", "failed"):
                print(
                    format, name, answer["answer"], answer["why"][:200], file=sys.stderr, flush=True
                )
    if worker is not None:
        worker.stdin.close()  # type: ignore[union-attr]
        worker.wait()


def start_worker(group: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--worker", group]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, bufsize=1, env=environment,
    )  # fmt: skip


def ask(worker: subprocess.Popen[str], name: str) -> dict[str, Any] | None:
    """Return the answers by format, or None if the worker died or hung."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(name + "\n")
    except BrokenPipeError:
        return None
    if not select.select([worker.stdout], [], [], LIMIT)[0]:
        return None
    line = worker.stdout.readline()
    return json.loads(line) if line else None


def serve(group: str) -> int:
    """Answer the cases named on stdin, one JSON line each."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # converters print
    from operator_cases import cases_of, operators

    by_name = {op_name(op): op for op in operators()}
    for line in sys.stdin:
        name = line.strip()
        operator = name.split("-float32")[0].split("-int")[0].split("-bool")[0]
        case = next(case for case in cases_of(by_name[operator]) if case.name == name)
        print(json.dumps(answer_case(case, group)), file=channel, flush=True)
    return 0


def op_name(op: Any) -> str:
    return ".".join(filter(None, (op.name, op.variant_test_name)))


def answer_case(case: Any, group: str) -> dict[str, dict[str, str]]:
    import edgevit

    formats = GROUPS[group]
    with tempfile.TemporaryDirectory() as folder:
        try:
            results = edgevit.export(
                case.module, case.example, target=group, formats=formats, precision="fp32", output=folder
            )  # fmt: skip
            return {format: answer_format(results, format, case) for format in formats}
        except Exception as error:
            return dict.fromkeys(formats, of_error(error))


def answer_format(results: Any, format: str, case: Any) -> dict[str, str]:
    try:
        result = results[format]
        if not result.passed:
            return {
                "answer": "failed",
                "why": str([p.as_dict() for p in result.parity if not p.passed]),
            }
        return of_fresh_values(result, format, case)
    except Exception as error:
        return of_error(error)


def of_error(error: Exception) -> dict[str, str]:
    from edgevit.errors import EdgevitError, InternalError

    if isinstance(error, EdgevitError):
        ours = not isinstance(error, InternalError)
        said = {"error": type(error).__name__, "where": error.where, "hint": error.hint}
        why = f"{error.message}: {error.why}"
        return {"answer": "refused" if ours else "crash", "why": why, **said}
    return {"answer": "crash", "why": f"{type(error).__name__}: {error}"[:500]}


def of_fresh_values(result: Any, format: str, case: Any) -> dict[str, str]:
    from operator_fresh import departures

    departed = departures(result, format, case)
    return (
        {"answer": "wrong", "why": "; ".join(departed)}
        if departed
        else {"answer": "exact", "why": ""}
    )


if __name__ == "__main__":
    sys.exit(main())
