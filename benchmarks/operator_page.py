"""The page of `operators.py`: per operator and format, what became of its cases."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

State = Mapping[str, Mapping[str, Any]]
TOOLS = ("torch", "onnxruntime", "litert-torch", "executorch", "coremltools")
WORDS = {"wrong": "WRONG", "crash": "CRASH", "failed": "told"}
_TEMPORARY = re.compile(r"/tmp/[^ :]*|<[^>]*>|\d+\.?\d*e[+-]?\d+")
_WHY = 90  # characters of a reason


def render(states: Mapping[str, State]) -> str:
    counts = {format: Counter(entry["answer"] for entry in state.values()) for format, state in states.items()}  # fmt: skip
    rows = [
        "# Operators",
        "",
        f"Written by `make operators` on {datetime.now(UTC):%Y-%m-%d} with "
        + ", ".join(f"{tool} {version(tool)}" for tool in TOOLS) + ".",
        "",
        "Cases are samples of PyTorch's own operator database (`op_db`): each a small module in float32 with tensors as inputs, one with later tensors as constants, and one of",
        "integers. Random numbers, training, sparse tensors and complex inputs are left out. A case is exported in fp32, run from disk in the format's runtime (Core ML: in edgevit's interpreter), and",
        "compared on the example, on variants of it, on values of another seed, and on those 2.5 times as large.",
        "",
        "| answer | " + " | ".join(states) + " |",
        "|---|" + "---|" * len(states),
        *(
            f"| {label} | " + " | ".join(str(counts[format][answer]) for format in states) + " |"
            for answer, label in _ANSWERS.items()
        ),
        "",
        "`n exact` counts the cases that are equal within rounding, in whatever form they are written; other cases are refused, with a reason of "
        "[the last section](#reasons). `told` is an export that says itself that it departs, and exits with 9.",
        "",
        "| operator | " + " | ".join(states) + " |",
        "|---|" + "---|" * len(states),
    ]  # fmt: skip
    reasons: dict[str, int] = {}
    for operator, cells in _by_operator(states).items():
        told = [_cell(cells.get(format, ()), reasons) for format in states]
        rows.append(f"| `{operator}` | " + " | ".join(told) + " |")
    rows += ["", "## Reasons", ""]
    rows += [f"{number}. {reason}" for reason, number in reasons.items()]
    return "\n".join(rows) + "\n"


def render_json(states: Mapping[str, State]) -> str:
    kept = ("answer", "error", "why")
    by_case: dict[str, dict[str, Any]] = defaultdict(dict)
    for format, state in states.items():
        for case, entry in state.items():
            by_case[case][format] = {key: entry[key] for key in kept if entry.get(key)}
    return json.dumps(dict(sorted(by_case.items())), indent=0) + "\n"


_ANSWERS = {
    "exact": "exact",
    "refused": "refused by name",
    "failed": "departs, and says so",
    "wrong": "wrong, and does not say so",
    "crash": "crash",
}


def _by_operator(states: Mapping[str, State]) -> dict[str, dict[str, list[Mapping[str, Any]]]]:
    rows: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for format, state in states.items():
        for case, entry in state.items():
            rows[re.split(r"-(?:float32|int64|int32|bool)-", case)[0]][format].append(entry)
    return dict(sorted(rows.items()))


def _cell(entries: Sequence[Mapping[str, Any]], reasons: dict[str, int]) -> str:
    """Return `2 exact, 1 refused (3)`, the number that of a reason."""
    if not entries:
        return ""
    parts = []
    for answer, count in Counter(entry["answer"] for entry in entries).items():
        whys = {_reason(entry) for entry in entries if entry["answer"] == answer} - {""}
        numbers = sorted(reasons.setdefault(why, len(reasons) + 1) for why in whys)
        cited = f" ({', '.join(map(str, numbers))})" if numbers and answer == "refused" else ""
        parts.append(f"{count} {WORDS.get(answer, answer)}{cited}")
    return ", ".join(parts)


def _reason(entry: Mapping[str, Any]) -> str:
    """Return the part of a refusal that is the same for many operators."""
    if entry["answer"] != "refused":
        return ""
    why = str(entry["why"])
    if "for it" in why or "for them" in why:
        why = "the converter has no form of this operator, or of one that it is made of"
    elif ": " in why:
        why = why.split(": ", 1)[1]
    why = _TEMPORARY.sub("…", why.partition("\n")[0]).replace("|", "/").replace("*", "\\*")
    return f"{entry.get('error', '')}: {why[:_WHY].strip()}"
