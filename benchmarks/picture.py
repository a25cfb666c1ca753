"""Draw the spine and the levels of the packages: `make picture` writes docs/architecture.svg.

From the list in `tests/levels.py`, which `tests/test_architecture.py` holds the code to.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.levels import LEVELS, SPINE  # noqa: E402

_WIDTH = 920
_MARGIN = 24
_SPINE_TOP, _STAGE_HEIGHT = 52, 58
_LEVELS_TOP, _ROW_HEIGHT, _ROW_GAP = 186, 44, 8
_GAP = 8
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #444; text-anchor: middle }
.heading { font-weight: 600; font-size: 14px; fill: #222; text-anchor: start }
.note { text-anchor: start } .name { font-weight: 600; font-size: 13px; fill: #222 }
.paper { fill: #fff } .box { fill: #f4f5f7; stroke: #c9ced6 } .on-spine { fill: #e3f3ec; stroke: #2f9e6e }
.arrow { fill: none; stroke: #2f9e6e; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
.paper { fill: #16181c } text { fill: #b4bac4 } .heading, .name { fill: #eef0f3 }
.box { fill: #22262d; stroke: #454c58 } .on-spine { fill: #17352a; stroke: #45b98a } .arrow { stroke: #45b98a }
}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "architecture.svg")
    parser.parse_args().output.write_text(picture())
    return 0


def picture() -> str:
    rows = [row for row in map(packages_of, LEVELS) if row]
    height = _LEVELS_TOP + len(rows) * (_ROW_HEIGHT + _ROW_GAP) - _ROW_GAP + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'role="img" aria-label="The spine, and the packages in the order of their imports">',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}" rx="8"/>',
        text("heading", _MARGIN, 32, "The spine: what a stage hands on"),
        *spine(),
        text("heading", _MARGIN, _LEVELS_TOP - 32, "The packages"),
        text(
            "note",
            _MARGIN,
            _LEVELS_TOP - 13,
            "Each imports from those below it and to its left, never from others. Green: on the spine.",
        ),
    ]
    for index, row in enumerate(reversed(rows)):
        parts += level(row, _LEVELS_TOP + index * (_ROW_HEIGHT + _ROW_GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def packages_of(level: Mapping[str, str]) -> dict[str, str]:
    """Return the packages of a level without the two files that are its doors."""
    return {name: words for name, words in level.items() if not name.startswith("__")}


def spine() -> Iterator[str]:
    gap = 18
    width = (_WIDTH - 2 * _MARGIN - gap * (len(SPINE) - 1)) / len(SPINE)
    for index, (stage, package, result) in enumerate(SPINE):
        x = _MARGIN + index * (width + gap)
        yield box("on-spine", x, _SPINE_TOP, width, _STAGE_HEIGHT)
        yield text("name", x + width / 2, _SPINE_TOP + 18, stage)
        yield text("words", x + width / 2, _SPINE_TOP + 34, f"{package}/")
        yield text("words", x + width / 2, _SPINE_TOP + 50, f"→ {result}")
        if index:
            yield arrow(x - gap + 3, x - 3, _SPINE_TOP + _STAGE_HEIGHT / 2)


def level(row: Mapping[str, str], y: float) -> Iterator[str]:
    on_spine = {package for _, package, _ in SPINE}
    width = (_WIDTH - 2 * _MARGIN - _GAP * (len(row) - 1)) / len(row)
    for index, (name, words) in enumerate(row.items()):
        x = _MARGIN + index * (width + _GAP)
        yield box("on-spine" if name in on_spine else "box", x, y, width, _ROW_HEIGHT)
        yield text("name", x + width / 2, y + 18, name)
        yield text("words", x + width / 2, y + 35, words)


def box(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="5"/>'


def text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def arrow(start: float, end: float, y: float) -> str:
    return f'<path class="arrow" d="M{start:.1f} {y:.1f}H{end:.1f}m-4 -4l4 4l-4 4"/>'


if __name__ == "__main__":
    sys.exit(main())
