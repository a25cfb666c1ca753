"""Fits the forecast anew on `targets/forecast/`: fitted.json, and docs/forecast.md.

python benchmarks/forecast.py              fit and write; --check fits and says whether anything would change
python benchmarks/forecast.py --features   count the graphs of all nets in nets.csv first: a quarter of an hour
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np

from edgevit.forecast.features import COSTS, features_of
from edgevit.forecast.fit import CrossValidation, Fitted, Sample, fit, held_out
from edgevit.forecast.published import devices, features, folder, kinds, nets, samples
from edgevit.forecast.table import FITTED, table_entry
from edgevit.frontend.capture import capture
from edgevit.frontend.rebuild import build_source
from edgevit.rewrites import engine
from edgevit.rewrites.standard import STANDARD

PAGE = Path("docs/forecast.md")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.features:
        write(folder() / "features.json", counted())
    known = features()
    table, sections = {}, []
    for kind in kinds():
        found = samples(kind, known)
        fitted, held = fit(found), held_out(found)
        table[kind] = table_entry(found, fitted, held, known)
        sections += section(kind, found, fitted, held)
    if options.check:
        same = json.loads((folder() / FITTED).read_text()) == table
        print("the same" if same else "another fit")
        return 0 if same else 1
    write(folder() / FITTED, table)
    PAGE.write_text("\n".join([*HEAD, *sections]) + "\n")
    return 0


def counted() -> dict[str, object]:
    found: dict[str, object] = {}
    for net, size in sorted({(entry["net"], int(entry["size"])) for entry in nets().values()}):
        program = capture(build_source(f"timm:{net}", weights="random", input_size=size))
        program, _ = engine.run(program, STANDARD)
        found[f"{net}@{size}"] = features_of(program).as_dict()
        print(f"{net}@{size}", flush=True)
    return found


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


HEAD = """# Forecast

`edgevit forecast MODEL --target T` predicts latency from figures that others published. Nothing here was measured by us: every figure it
gives is `predicted`, with a range, and refused outside what it was fitted on. Written by `python benchmarks/forecast.py`, which fits it
anew from [`targets/forecast/`](../targets/forecast): the published figures with the source of each, which of them are used, and
what the graphs of those nets hold. A target is known there by its chip, the `soc` of its TOML.

    latency = (sum of cost_i * feature_i) * exp(setting + source)

The features are counted on the graph as the rules that all targets share leave it; costs are positive, fitted on logarithms. A source
is an effect of its own, drawn to zero: sources differ by more than their nets do, and a forecast is of the average one. The errors
below are of *families held out*: each family of nets in turn is predicted by a fit that has not seen any of it. The range is the one that
held 87% of the other families' figures. One set of features serves all kinds of device; it was chosen, among a dozen, by
these very errors, so expect a little worse.

Rank correlation over all settings is helped by slow settings being slow; `within` is its mean inside single settings of four nets and more.

## Devices without a forecast

A device needs figures of several families in one setting. Looked for in published papers, repositories, model cards and benchmark pages, and not there for these:

| device | what is published | why it is no forecast |
|---|---|---|
| iPhone 17 Pro (A19 Pro), iPhone 17 (A19) | EfficientNetV2-S at 384 pixels on an iPhone 17, ExecuTorch: 3.5 ms by Core ML in fp16, 35.1 by XNNPACK in int8, 67.9 in fp32; Argmax's speech models, relative to an iPhone 16 Pro | one net; times of no named vision net |
| Pixel 10 (Tensor G5) | scores of Geekbench and AnTuTu, tokens a second of language models on its CPU | no latency of a named vision net with a named runtime |
| Snapdragon 8 Elite Gen 5 | NASNet in fp16 on Qualcomm's reference phone, TFLite on the NPU: 4.155 ms, against 4.794 on a Galaxy S25 and 5.658 on a Galaxy S24 | one net; Qualcomm's model cards have more, of which nothing was at hand |

The figures are in `published.csv` with their sources, and no fit uses them. `edgevit profile --on aihub:...` measures on such a phone.

""".splitlines()


def section(
    kind: str, found: tuple[Sample, ...], fitted: Fitted, held: CrossValidation
) -> list[str]:
    shown = sorted({d.device for d in devices() if d.kind == kind})
    families: dict[str, list[float]] = defaultdict(list)
    for sample, error in zip(found, held.errors, strict=True):
        families[sample.family].append(error)
    rows = [
        f"## {kind}",
        "",
        f"{'; '.join(shown)}.",
        "",
        "| figures | families | median error, families held out | rank correlation | within | in the range | range |",
        "|--:|--:|--:|--:|--:|--:|--:|",
        f"| {len(found)} | {len(families)} | {held.median:.1%} | {held.rank:.3f} | {within(found, held):.2f} | {held.covered:.0%} "
        f"| /{held.bar:.2f} to x{held.bar:.2f} |",
        "",
        "| family held out | figures | median error | predicted / published, worst |",
        "|---|--:|--:|--:|",
    ]
    for family, errors in sorted(families.items()):
        median = float(np.median([abs(math.exp(e) - 1) for e in errors]))
        worst = math.exp(max(errors, key=abs))
        rows.append(f"| {family} | {len(errors)} | {median:.0%} | x{worst:.2f} |")
    rows += ["", "| one more of | costs, ms |", "|---|--:|"]
    rows += [f"| {name} | {cost:.3g} |" for name, cost in zip(COSTS, fitted.costs, strict=True)]
    return [*rows, ""]


def within(found: tuple[Sample, ...], held: CrossValidation) -> float:
    """Spearman's correlation inside a setting of one source, mean over those of four nets and more."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, sample in enumerate(found):
        groups[sample.setting, sample.source].append(index)
    ranks = []
    for members in groups.values():
        if len({found[k].net for k in members}) >= 4:
            published = np.array([found[k].latency_ms for k in members])
            predicted = published * np.exp([held.errors[k] for k in members])
            ranks.append(
                np.corrcoef(published.argsort().argsort(), predicted.argsort().argsort())[0, 1]
            )
    return float(np.mean(ranks))


if __name__ == "__main__":
    raise SystemExit(main())
