"""Preparation of a program for integers: changes that are exact in floats, each taken if it pays.

Every change is tried on a plain quantisation, whose noise on the held-out runs decides. Outliers in
a channel, a hidden unit or a residual stream go where a scale of their own costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgevit.errors import EdgevitError
from edgevit.graph.parity import distance
from edgevit.graph.program import Inputs, Program
from edgevit.quantize.calibration import Calibration
from edgevit.quantize.constant_channels import constants_folded
from edgevit.quantize.equalize import Strength, equalized
from edgevit.quantize.held_out import Judges, simulated_snr
from edgevit.quantize.placement import place
from edgevit.quantize.run import Method, Progress, halves, plain_simulation
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.trained import has_pairs
from edgevit.rewrites import engine
from edgevit.rewrites.norms.drop_norm_mean import CentreStream
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.rule import AnyRule

_SAME = 1e-4  # relative L2
_PROBES = 8  # runs of each half
PRODUCTS = QuantScheme()  # what all runtimes have in common: products in integers
_LOSS = 0.05  # dB: a change that costs no more is taken, as others may build on it
_HALVES = 1.0  # the same, of what float16 loses beside a large mean: the trial is in float32

_PART, _WHOLE = "channels equalised in part", "channels equalised"

Change = Callable[[Program, Sequence[Inputs]], Program]


@dataclass(frozen=True)
class Prepared:
    """The program that every format quantises, and the calibration inputs they share."""

    program: Program
    methods: tuple[Method, ...]
    calibration: Calibration
    pictures: bool = True  # were asked for: else it is noise, which chooses no weight


def _by_rules(*rules: AnyRule) -> Change:
    return lambda program, _: engine.run(program, rules)[0]


def _by_strength(strength: Strength) -> Change:
    def change(program: Program, runs: Sequence[Inputs]) -> Program:
        return equalized(program, runs, place(program, PRODUCTS).encoded(), strength)

    return change


# In the order they are tried. Norms stay whole: a backend whose runtime gets them in pieces drops their means itself.
_CHANGES: tuple[tuple[str, Change, float], ...] = (
    ("norm affines folded", _by_rules(FoldNormAffine()), _LOSS),
    ("norm means folded", _by_rules(CentreStream()), _HALVES),
    ("constant channels folded", lambda program, _: constants_folded(program), _LOSS),
    (_PART, _by_strength(Strength(products=True)), _LOSS),
    (
        _WHOLE,
        _by_strength(Strength(1.0, 1024.0, products=True, with_cut=True)),
        _LOSS,
    ),
)


def prepare(
    program: Program,
    calibration: Calibration,
    progress: Progress = lambda _: None,
    scheme: QuantScheme = PRODUCTS,
) -> Prepared:
    """Apply the changes that leave no more noise than there was before them.

    `scheme` is what they are tried with.
    """
    calibration.check(program)
    if has_pairs(program):  # its encodings were trained: a change would not have them
        return Prepared(program, (), calibration)
    fitted, judges = (half[:_PROBES] for half in halves(calibration.inputs))
    judging = Judges.of(program, judges)
    best = _noise(program, fitted, judging, scheme)
    methods: list[Method] = []
    for name, change, loss in _CHANGES:
        if name == _WHOLE and any(one.name == _PART and not one.taken for one in methods):
            break  # the rest of a way that was wrong from the start
        progress(f"try: {name}")
        changed = _changed(program, change, fitted)
        if changed is None:
            continue
        ratio = _noise(changed, fitted, judging, scheme)
        taken = ratio >= best - loss
        methods.append(Method(name, best, ratio, taken))
        if taken:
            program, best = changed, ratio
    return Prepared(program, tuple(methods), calibration)


def _changed(program: Program, change: Change, runs: Sequence[Inputs]) -> Program | None:
    """Return the changed program; None where nothing changes, or not exactly."""
    try:
        changed = change(program, runs)
    except EdgevitError:
        return None
    if changed is program or changed.graph is program.graph:
        return None
    error = distance(program.run(runs[0]), changed.run(runs[0]))
    return changed if error.rel_l2 <= _SAME else None


def _noise(
    program: Program,
    fitted: Sequence[Inputs],
    judges: Judges,
    scheme: QuantScheme,
) -> float:
    simulation = plain_simulation(program, fitted, scheme)
    return simulated_snr(judges.of_simulation(simulation))
