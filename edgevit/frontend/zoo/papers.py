"""The nets of papers that no package has: `zoo:mobilevig-ti`, with the sizes that each paper states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from edgevit.frontend.zoo.casvit import CASVIT, casvit
from edgevit.frontend.zoo.hornet import HORNET, hornet
from edgevit.frontend.zoo.litv2 import LITV2, litv2
from edgevit.frontend.zoo.lsnet import LSNET, lsnet
from edgevit.frontend.zoo.moat import MOAT, moat
from edgevit.frontend.zoo.mobilevig import MOBILEVIG, mobilevig
from edgevit.frontend.zoo.rmt import RMT, rmt
from edgevit.frontend.zoo.smt import SMT, smt
from edgevit.frontend.zoo.spartan import SPARTAN, spartan
from edgevit.frontend.zoo.stvit import STVIT, stvit
from edgevit.frontend.zoo.unifiednorm import UNIFIEDNORM, unifiednorm
from edgevit.frontend.zoo.uniformer import UNIFORMER, uniformer
from edgevit.frontend.zoo.van import VAN, van

# What a paper's multiply-accumulates are of: products alone; without those of attention, which some
# counters leave out; with four or five for each number that a batch or another norm takes.
Counted = Literal["products", "without attention", "with norms"]


@dataclass(frozen=True)
class Paper:
    """A paper's nets. Millions of parameters and billions of multiply-accumulates are as printed."""

    arxiv: str
    build: Callable[[Any, int, int], nn.Module]  # of sizes, image and classes
    sizes: Mapping[str, Any]
    published: Mapping[str, tuple[str, str]]
    image: int = 224
    counted: Counted = "products"
    folded: bool = False  # parameters without those of batch norms


PAPERS = {
    "mobilevig": Paper(
        "2307.00395",
        mobilevig,
        MOBILEVIG,
        {"ti": ("5.2", "0.7"), "s": ("7.2", "1.0"), "m": ("14.0", "1.5"), "b": ("26.7", "2.8")},
        folded=True,
    ),
    "casvit": Paper(
        "2408.03703",
        casvit,
        CASVIT,
        {
            "xs": ("3.20", "0.560"),
            "s": ("5.76", "0.932"),
            "m": ("12.42", "1.887"),
            "t": ("21.76", "3.597"),
        },
        counted="with norms",
    ),
    "lsnet": Paper(
        "2503.23135",
        lsnet,
        LSNET,
        {"t": ("11.4", "0.3"), "s": ("16.1", "0.5"), "b": ("23.2", "1.3")},
        counted="with norms",
    ),
    "van": Paper(
        "2202.09741",
        van,
        VAN,
        {"b0": ("4.1", "0.9"), "b1": ("13.9", "2.5"), "b2": ("26.6", "5.0"), "b3": ("44.8", "9.0")},
    ),
    "hornet": Paper(
        "2207.14284",
        hornet,
        HORNET,
        {"t": ("22.4", "4.0"), "s": ("49.5", "8.8"), "b": ("87.3", "15.6")},
    ),
    # The printed 20.5 million of SMT-S are not those of the authors' code, which has 22.6 million.
    "smt": Paper(
        "2307.08579",
        smt,
        SMT,
        {"t": ("11.5", "2.4"), "b": ("32.0", "7.7"), "l": ("80.5", "17.6")},
        counted="without attention",
    ),
    # The printed 2.5, 4.5 and 9.7 billion of RMT are below the products of the authors' code.
    "rmt": Paper("2309.11523", rmt, RMT, {"t": ("14", ""), "s": ("27", ""), "b": ("54", "")}),
    "litv2": Paper(
        "2205.13213",
        litv2,
        LITV2,
        {"s": ("28", "3.7"), "m": ("49", "7.5"), "b": ("87", "13.2")},
    ),
    "uniformer": Paper(
        "2201.09450",
        uniformer,
        UNIFORMER,
        {"s": ("22", "3.6"), "splus": ("24", "4.2"), "b": ("50", "8.3")},
    ),
    # The net is T2T-ViT-14, whose paper (2101.11986) prints the figures.
    "unifiednorm": Paper("2208.01313", unifiednorm, UNIFIEDNORM, {"14": ("21.5", "4.8")}),
    "spartan": Paper("2507.10999", spartan, SPARTAN, {"t": ("3.8", "1.0")}, image=256),
    "stvit": Paper(
        "2211.11167",
        stvit,
        STVIT,
        {"s": ("25", "4.4"), "b": ("52", "9.9"), "l": ("95", "15.6")},
        counted="with norms",
    ),
    "moat": Paper(
        "2210.01820",
        moat,
        MOAT,
        {
            "tiny0": ("3.4", "0.8"),
            "tiny1": ("5.1", "1.2"),
            "tiny2": ("9.8", "2.3"),
            "tiny3": ("19.5", "4.5"),
            "0": ("27.8", "5.7"),
        },
        counted="with norms",
    ),
}
