"""Latency of our artifacts against the default recipe of each runtime, all of a net's measured interleaved: `make bench`.

The default recipe is what the runtime's own documentation says to write for a PyTorch model: export it, hand it over,
save it. All are made from the same model, with the same weights. Ratios below 1 are ours being faster; each is the
median over rounds of the two artifacts' times in that round. The defaults are kept in out/latency/, ours are made anew.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch

from edgevit.measure.timing import Latency, Subject, measure, subject_of
from edgevit.support.backend_info import host_suffixes

ATTENTION = (
    "deit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "shvit_s1", "shvit_s4", "efficientvit_m0",
    "mobilevit_xxs", "levit_128s", "edgenext_xx_small", "pvt_v2_b0", "tiny_vit_5m_224", "efficientformerv2_s0",
    "fastvit_mci0",
)  # fmt: skip
NETS = (
    *ATTENTION, "fastvit_t8", "repvit_m1", "repvgg_a0", "mobileone_s0", "convnext_atto",
)  # fmt: skip
FORMATS = ("onnx", "tflite", "executorch")
NAMES = {"onnx": "ONNX Runtime", "tflite": "LiteRT", "executorch": "ExecuTorch"}
SUFFIX = {format: suffix for suffix, format in host_suffixes().items()}
CACHE = Path("out/latency")
Times = dict[tuple[str, str], Latency]  # by who made it and format


def default_onnx(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...], path: Path) -> None:
    program = torch.onnx.export(model, inputs, dynamo=True, verbose=False)
    assert program is not None
    program.save(path)


def default_executorch(
    model: torch.nn.Module, inputs: tuple[torch.Tensor, ...], path: Path
) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    exported = torch.export.export(model, inputs)
    edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    path.write_bytes(edge.to_executorch().buffer)


def default_tflite(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...], path: Path) -> None:
    import litert_torch

    litert_torch.convert(model, inputs).export(str(path))


DEFAULT = {"executorch": default_executorch, "tflite": default_tflite, "onnx": default_onnx}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="write the page here too")
    parser.add_argument(
        "--keep", type=Path, help="keep our artifacts here, and take those there are"
    )
    parser.add_argument("--make", nargs=2, metavar=("FORMAT", "NET"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make_default(*options.make)
        return 0
    CACHE.mkdir(parents=True, exist_ok=True)
    found: dict[str, Times] = {}
    for net in options.nets:
        with tempfile.TemporaryDirectory() as folder:
            found[net] = times_of(net, options.keep or Path(folder), options)
        print(row_of(net, found[net]), flush=True)
    text = page(found, options)
    print("\n" + text)
    if options.output:
        options.output.write_text(text)
    return 0


def make_default(format: str, net: str) -> None:
    """In a process of its own, as all of them change global state."""
    from edgevit.frontend.resolve import resolve

    source = resolve(f"timm:{net}", weights="random")
    DEFAULT[format](source.module, source.inputs, default_path(net, format))


def default_path(net: str, format: str) -> Path:
    return CACHE / f"{net}-default{SUFFIX[format]}"


def times_of(net: str, folder: Path, options: argparse.Namespace) -> Times:
    for format in FORMATS:
        if not default_path(net, format).exists():
            run([__file__, "--make", format, net])
    folder = folder / net
    missing = [f for f in FORMATS if not (folder / f / "edgevit.json").exists()]
    for format in missing:
        words = [
            "export",
            f"timm:{net}",
            "--target",
            "linux-x86",
            "--weights",
            "random",
            "--format",
            format,
            "--quiet",
        ]
        run(["-m", "edgevit", *words, "-o", str(folder / format)])
    subjects = {("ours", f): subject_of(folder / f) for f in FORMATS}
    inputs = subjects["ours", "onnx"].inputs
    for format in FORMATS:
        path = default_path(net, format)
        if path.exists():
            subjects["default", format] = Subject("default", format, path, inputs, {})
    report = measure(list(subjects.values()), rounds=options.rounds, threads=options.threads)
    times = {key: m.latency for key, m in zip(subjects, report.measured, strict=True)}
    with (CACHE / "times.jsonl").open("a") as file:
        figures = {f"{who} {format}": t.median for (who, format), t in times.items()}
        file.write(json.dumps({"net": net, "when": report.when, **figures}) + "\n")
    return times


def ratio(ours: Latency, theirs: Latency) -> float:
    return statistics.median(a / b for a, b in zip(ours.rounds, theirs.rounds, strict=True))


def best(times: Times, who: str) -> str:
    return min((f for maker, f in times if maker == who), key=lambda f: times[who, f].median)


def best_ratio(times: Times) -> float:
    return ratio(times["ours", best(times, "ours")], times["default", best(times, "default")])


def own_ratios(times: Times) -> dict[str, float]:
    """Against each runtime's own default."""
    known = [f for f in FORMATS if ("default", f) in times]
    return {f: ratio(times["ours", f], times["default", f]) for f in known}


def row_of(net: str, times: Times) -> str:
    cells = []
    for format in FORMATS:
        ours, theirs = times["ours", format], times.get(("default", format))
        cells.append(
            f"{theirs.median * 1e3:.1f} | {ours.median * 1e3:.1f} | x{own_ratios(times)[format]:.2f}"
            if theirs
            else f"fails | {ours.median * 1e3:.1f} |"
        )
    return f"| {net} | " + " | ".join(cells) + f" | **x{best_ratio(times):.2f}** |"


def page(found: dict[str, Times], options: argparse.Namespace) -> str:
    from edgevit.support.host import this_host

    about = f"{options.threads} threads, median of {options.rounds} rounds, {this_host()}"
    lines = [
        "# Latency against the runtimes' default recipes",
        "",
        f"Written by `make bench`. `measured` on one machine, interleaved: {about}. Milliseconds: default, ours, and "
        "ours / default; the last column is our best artifact against the best default of the three runtimes.",
        "",
        "| net | " + " | ".join(f"{NAMES[f]} | ours | ratio" for f in FORMATS) + " | best / best |",
        "|---|" + "--:|" * (3 * len(FORMATS) + 1),
        *(row_of(net, times) for net, times in found.items()),
        "",
        *summary(found),
    ]
    return "\n".join(lines) + "\n"


def summary(found: dict[str, Times]) -> list[str]:
    overall = {net: best_ratio(times) for net, times in found.items()}
    worst = max(overall, key=lambda net: overall[net])
    lines = [
        f"- best against best: x{geomean(overall.values()):.2f} in the geometric mean of {len(overall)} nets, "
        f"worst x{overall[worst]:.2f} ({worst})"
    ]
    for format in FORMATS:
        own = {n: r[format] for n, t in found.items() if format in (r := own_ratios(t))}
        attention = [own[net] for net in ATTENTION if net in own]
        if not own:
            continue
        slowest = max(own, key=lambda net: own[net])
        lines.append(
            f"- {NAMES[format]}: x{geomean(own.values()):.2f}, worst x{own[slowest]:.2f} ({slowest}); "
            + (f"nets with attention x{geomean(attention):.3f}" if attention else "")
        )
    return lines


def geomean(ratios: Iterable[float]) -> float:
    return statistics.geometric_mean(list(ratios))


def run(arguments: list[str]) -> None:
    """Run a command. If it fails, its output is printed and the table lacks its row."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no word").splitlines()[-1][:200]
        print(f"{' '.join(arguments[:4])}: {last}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
