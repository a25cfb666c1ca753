"""Draw the pictures of README: an export as the terminal shows it, and two screens of its report."""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from tests.browser import opened

COMMAND = ("export", "timm:shvit_s1", "--target", "iphone", "--weights", "random")
SIZE = (900, 760)  # pixels of the report
_WIDTH, _LINE, _MOST = 8.43, 20, 118  # of a character; of a row; characters a row
_ROW = re.compile(r"^\| (\w+) \| [\d.]+ \| [\d.]+ \| \*\*x([\d.]+)\*\* \|$", re.M)
_OPEN = """document.querySelector('[data-key="module stages.1.blocks.0"]')
    .dispatchEvent(new MouseEvent('click', {bubbles: true}))"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs"))
    parser.add_argument("--folder", type=Path, help="an export that is there already")
    parser.add_argument("--said", type=Path, help="what that export printed")
    words = parser.parse_args()
    measured = words.output / "measured.md"
    (words.output / "latency.svg").write_text(chart(ratios(measured.read_text())))
    with tempfile.TemporaryDirectory() as scratch:
        folder = words.folder or Path(scratch) / "shvit_s1"
        said = words.said.read_text() if words.said else exported(folder)
        said = said.replace(str(folder), "out/shvit_s1-iphone-12")
        rows = [f"$ edgevit {' '.join(COMMAND)}", *said.rstrip().splitlines()]
        (words.output / "terminal.svg").write_text(terminal(rows))
        pictures((folder / "report.html").resolve().as_uri(), words.output)


def exported(folder: Path) -> str:
    """Export the model, and return what was printed."""
    command = ["edgevit", *COMMAND, "--quiet", "-o", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def terminal(rows: Sequence[str]) -> str:
    """Return a terminal with these rows, as SVG."""
    cut = [row if len(row) <= _MOST else row[: _MOST - 1] + "…" for row in rows]
    width, height = _MOST * _WIDTH + 32, len(cut) * _LINE + 56
    lines = "\n".join(
        f'<text x="16" y="{56 + k * _LINE}" fill="{_colour(row)}" xml:space="preserve">{escape(row)}</text>'
        for k, row in enumerate(cut)
    )
    dots = "".join(f'<circle cx="{20 + 18 * k}" cy="18" r="5" fill="#3d4650"/>' for k in range(3))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'aria-label="{escape(" ".join(rows[:1]))}">'
        f'<rect width="100%" height="100%" rx="8" fill="#14181c"/>{dots}'
        f'<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14">\n{lines}\n</g></svg>\n'
    )


def pictures(page: str, output: Path) -> None:
    """Write what Chromium shows of a report: its top, and the graph with one module open."""
    with opened() as tab:
        tab.open(page, *SIZE)
        tab.picture(output / "report.png")
        tab.run("document.getElementById('view').scrollIntoView()")
        tab.run(_OPEN)
        tab.picture(output / "graph.png")


def ratios(page: str) -> dict[str, float]:
    """Return the table of latencies: net, our time relative to the best default."""
    return {net: float(ratio) for net, ratio in _ROW.findall(page)}


def chart(relative: Mapping[str, float]) -> str:
    """Return bars from 0 to 1, where 1 is the best default recipe, as SVG."""
    rows = sorted(relative.items(), key=lambda item: item[1])
    height, full = 22 * len(rows) + 46, 420
    bars = "\n".join(
        f'<text x="230" y="{48 + 22 * k}" text-anchor="end">{escape(net)}</text>'
        f'<rect x="240" y="{36 + 22 * k}" width="{full * ratio:.0f}" height="15" fill="#3f7cc0"/>'
        f'<text x="{248 + full * ratio:.0f}" y="{48 + 22 * k}">x{ratio:.2f}</text>'
        for k, (net, ratio) in enumerate(rows)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" role="img" '
        'aria-label="latency relative to the best default recipe">'
        '<rect width="100%" height="100%" rx="8" fill="#fff"/>'
        '<g font-family="system-ui,sans-serif" font-size="13" fill="#1c2126">'
        '<text x="240" y="22" fill="#59636e">time relative to the best default recipe (dashed), measured</text>'
        f'<line x1="{240 + full}" x2="{240 + full}" y1="30" y2="{height - 8}" stroke="#8894a0" stroke-dasharray="4 3"/>'
        f"\n{bars}\n</g></svg>\n"
    )


def _colour(row: str) -> str:
    if row.startswith("$"):
        return "#8abcf0"
    if "computes the same thing" in row or " ok: " in row:
        return "#6fcf8e"
    return "#e6eaee"


if __name__ == "__main__":
    main()
