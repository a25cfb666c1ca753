"""A small net of each of timm's families: by its name, or a published net with fewer blocks."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
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
_FILE = """from benchmarks.small_timm import shortened


def net():
    return shortened("{name}", {arguments!r})
"""


@dataclass(frozen=True)
class SmallNet:
    name: str
    parameters: int
    arguments: dict[str, Any]  # of timm's, where blocks are left out
    side: int | None = None  # pixels, where the class is built for a size
    modules: int = 0  # in what `shortened` builds

    def file(self, folder: Path) -> Path:
        """Write the file that builds the net with fewer blocks."""
        file = folder / f"{self.name}.py"
        file.write_text(_FILE.format(name=self.name, arguments=self.arguments))
        return file


def smallest_of_each_family(cache: Path) -> list[SmallNet]:
    """Return the nets, those of the fewest modules first: an export's time goes by them."""
    if not cache.exists():
        cache.write_text(json.dumps([vars(net) for net in _searched()]))
    nets = [SmallNet(**entry) for entry in json.loads(cache.read_text())]
    return sorted(nets, key=lambda net: net.modules)


def shortened(name: str, arguments: dict[str, Any]) -> Any:
    """Build the net without the repeats of its blocks, where it runs without them."""
    import timm
    import torch

    def built() -> Any:
        return without_repeats(timm.create_model(name, **arguments).eval())

    for side in (*_SIDES, 224, 256, 384):
        with contextlib.suppress(Exception), torch.device("meta"):
            built()(torch.zeros(1, 3, side, side))
            break
    else:
        return timm.create_model(name, **arguments)
    return built()


def without_repeats(net: Any) -> Any:
    """Leave out each block that is like an earlier one of its stage in all but the weights."""
    from torch import nn

    for stage in net.modules():
        if not isinstance(stage, nn.Sequential | nn.ModuleList):
            continue
        kinds: dict[str, tuple[str, Any]] = {}
        for name, block in stage.named_children():
            is_block = any(True for _ in block.children())
            kinds.setdefault(_kind(block) if is_block else name, (name, block))
        numbered = all(name.isdigit() for name, _ in kinds.values())
        names = map(str, range(len(kinds))) if numbered else (name for name, _ in kinds.values())
        stage._modules = dict(zip(names, (block for _, block in kinds.values()), strict=True))
    return net


def _kind(block: Any) -> str:
    """Write classes, plain attributes and shapes of a block and all in it."""
    plain = bool | int | float | str | tuple
    attributes = [
        (name, type(part), sorted((k, v) for k, v in vars(part).items() if isinstance(v, plain) and k != "drop_prob"))
        for name, part in block.named_modules()
    ]  # fmt: skip
    return repr((attributes, [(name, tuple(x.shape)) for name, x in block.state_dict().items()]))


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
    return [replace(net, modules=_modules(net)) for net in nets]


def _modules(net: SmallNet) -> int:
    import torch

    with contextlib.suppress(Exception), torch.device("meta"):
        return sum(1 for _ in shortened(net.name, net.arguments).modules())
    return sys.maxsize


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
