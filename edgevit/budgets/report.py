"""Printed output of `edgevit check`, and a JUnit file for CI."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from edgevit.budgets.check import Check, Finding
from edgevit.exported import SCHEMA

_NAMES = {
    "parity": "parity",
    "latency_seconds": "latency",
    "size_bytes": "size",
    "ram_bytes": "RAM",
    "flash_bytes": "flash",
    "instructions": "instructions",
    "cycles": "cycles",
    "min_cosine": "cosine",
}


def checks_dict(checks: Sequence[Check]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "passed": all(check.passed for check in checks),
        "checks": [check.as_dict() for check in checks],
    }


def check_text(check: Check) -> str:
    rows = [f"{check.title}   {check.directory}"]
    rows += [f"  {_NAMES[f.budget]:<13} {f.status:<8} {sentence(f)}" for f in check.findings]
    return "\n".join([*rows, f"  result        {'within budget' if check.passed else 'NOT within budget'}"])  # fmt: skip


def sentence(finding: Finding) -> str:
    """Return one finding as text: `3.1 ms of 5 ms (measured: ...)`."""
    source = finding.source
    if finding.budget == "parity":
        return f"{'the same' if source.figure else 'NOT the same'} as the model ({source.how})"
    if source.figure is None:
        return f"limit {_shown(finding.budget, finding.limit)}; {source.how}"
    relation = "needs" if finding.at_least else "of"
    figure, limit = (_shown(finding.budget, x) for x in (source.figure, finding.limit))
    return f"{figure} {relation} {limit} ({source.kind}: {source.how})"


def _shown(budget: str, x: float) -> str:
    if budget == "latency_seconds":
        return f"{x * 1e3:.4g} ms"
    if budget.endswith("_bytes"):
        return f"{x:,.0f} bytes"
    return f"{x:,.0f}" if budget in {"instructions", "cycles"} else f"{x:.6f}"


def junit(checks: Sequence[Check]) -> str:
    """Return JUnit XML: one suite per folder, one case per budget.

    An exceeded budget is a failure, and so is an unknown figure.
    """
    root = ElementTree.Element("testsuites", name="edgevit check")
    for check in checks:
        wrong = sum(not finding.within for finding in check.findings)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_clean(check.title),
            tests=str(len(check.findings)),
            failures=str(wrong),
            errors="0",
        )
        for finding in check.findings:
            case = ElementTree.SubElement(
                suite, "testcase", classname=_clean(str(check.directory)), name=_NAMES[finding.budget]
            )  # fmt: skip
            if not finding.within:
                text = _clean(sentence(finding))
                failure = ElementTree.SubElement(case, "failure", type=finding.status, message=text)
                failure.text = text
            else:
                ElementTree.SubElement(case, "system-out").text = _clean(sentence(finding))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    """Replace control characters, most of which XML cannot represent."""
    return "".join(c if c >= " " or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
