"""A small net of each of timm's families: by its name, or a published net with fewer blocks."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FAMILY = re.compile(r"(?:test_|legacy_|tf_|dm_)?([a-z]+?(?:_vit|_next)?(?:v\d)?)(?=[\d_]|$)")
# Words for small nets, the smallest first; among equals, the first number decides.
_SMALL = (
    r"^test_", r"atto", r"femto", r"pico", r"xxs|xxt|nano", r"_035|_050|_s0|_b0|_t0|_m0|_005|_002|48b|_128s", r"mini|micro|x_small|xtiny|_xs|_w18_small",
    r"tiny|_ti|_5m|_t\b|_s1\b|_m1\b|_l1\b|_a\b", r"small|_s\b|_s_|_s\d|_060|_075|_d1\b|_b1\b", r"",
)  # fmt: skip
_FEWEST = 6_000_000  # parameters above which blocks are left out
# Arguments of timm's classes that say how many blocks there are, and what leaves few.
_FEWER: tuple[dict[str, Any], ...] = (
    {"depth": 2},
    {"depths": (1, 1, 1, 1)},
    {"depths": (1, 1, 1)},
    {"layers": (1, 1, 1, 1)},
    {"num_blocks": 2},
    {"stages": (1, 1, 1, 1)},
)
_SIDES = (64, 96, 128, 160, 192)
_FILE = """import timm


def net():
    return timm.create_model("{name}", **{arguments!r})
"""


@dataclass(frozen=True)
class SmallNet:
    name: str
    parameters: int
    arguments: dict[str, Any]  # of timm's, where blocks are left out
    side: int | None = None  # pixels, where the class is built for a size

    def file(self, folder: Path) -> Path | None:
        """Write the file that builds the net with fewer blocks."""
        if not self.arguments:
            return None
        file = folder / f"{self.name}.py"
        file.write_text(_FILE.format(name=self.name, arguments=self.arguments))
        return file


def smallest_of_each_family(cache: Path) -> list[SmallNet]:
    """Return the nets, the smallest first."""
    if not cache.exists():
        cache.write_text(json.dumps([vars(net) for net in _searched()]))
    return [SmallNet(**entry) for entry in json.loads(cache.read_text())]


def _searched() -> list[SmallNet]:
    from edgevit.frontend.torchvision_ops import make_torchvision_importable

    make_torchvision_importable()
    import timm

    families: dict[tuple[str, str], list[str]] = defaultdict(list)
    for module in timm.list_modules():
        for name in timm.list_models(module=module):
            family = _FAMILY.match(name)
            families[module, family[1] if family else name].append(name)
    nets = [_with_few_blocks(min(names, key=_rank)) for names in families.values()]
    return sorted(nets, key=lambda net: net.parameters)


def _rank(name: str) -> tuple[int, int, int, str]:
    number = re.search(r"\d+", re.sub(r"v\d", "", name))
    size = next(i for i, word in enumerate(_SMALL) if re.search(word, name))
    return size, int(number[0]) if number else 0, len(name), name


def _with_few_blocks(name: str) -> SmallNet:
    """Return the net as it is where it is small, else with the first arguments that its class takes."""
    whole = _parameters(name, {}) or 0
    if whole < _FEWEST:
        return SmallNet(name, whole, {})
    for fewer in _FEWER:
        for side in _SIDES:
            arguments = {**fewer, "img_size": side}
            left = _parameters(name, arguments, side)
            if left and left < whole:
                return SmallNet(name, left, arguments, side)
        left = _parameters(name, fewer)
        if left and left < whole:
            return SmallNet(name, left, fewer)
    return SmallNet(name, whole, {})


def _parameters(name: str, arguments: dict[str, Any], side: int | None = None) -> int | None:
    """Return how many parameters there are; None where the net cannot be built, or not run at a size."""
    import timm
    import torch

    try:
        with torch.device("meta"):
            net = timm.create_model(name, **arguments).eval()
            if side:
                net(torch.zeros(1, 3, side, side))
    except Exception:
        return None
    return sum(parameter.numel() for parameter in net.parameters())
