"""Rows of the summary on a quantised artifact: noise, calibration, float islands and accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MOST = 8  # kinds of islands
_NAMED = 4  # calls that are named where a check failed
Row = tuple[str, str]  # name and text


def quantization_rows(manifest: Mapping[str, Any]) -> Iterator[Row]:
    quantization = manifest.get("quantization")
    if quantization:
        yield "quantised", _noise(quantization)
        yield "", "calibrated on " + _source(quantization["calibration"])
        if taken := [method["name"] for method in quantization["methods"] if method["taken"]]:
            yield "", "taken: " + ", ".join(taken)
        yield from (("", row) for row in island_rows(quantization["float_islands"]))
        for warning in quantization["warnings"]:
            yield "warning", warning
        if not all(entry["passed"] for entry in manifest["parity"]):
            yield from _noisiest(quantization.get("values") or ())
    yield from accuracy_rows(manifest.get("accuracy"))


def quantized_verdict(manifest: Mapping[str, Any]) -> str:
    """Return what a passed check says of a quantised artifact; empty for another."""
    quantization = manifest.get("quantization")
    if not quantization:
        return ""
    ratio = quantization["snr"]["held_out"]
    return f"as near to the float model as its simulation: {ratio:.1f} dB"


def island_rows(islands: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a row a reason, with the calls that compute in floats for it."""
    kinds: dict[str, Counter[str]] = {}
    for island in islands:
        kinds.setdefault(island["why"], Counter())[island["kind"]] += 1
    count = len(islands)
    rows = [f"{count} call{'s' * (count != 1)} in floats" + ":" * bool(count)]
    for why, counts in kinds.items():
        names = ", ".join(f"{kind} x{n}" for kind, n in counts.most_common(_MOST))
        rows.append(f"  {names}{' ...' * (len(counts) > _MOST)}: {why}")
    return rows


def accuracy_rows(measured: Mapping[str, Any] | None) -> Iterator[Row]:
    """Yield what an export measured on labelled data, if it did."""
    if not measured:
        return
    programs = [("float", "float"), ("simulation", "simulation"), ("file", "file")]
    figures = [f"{name} {_top(measured[key])}" for key, name in programs if measured[key]]
    yield "accuracy", ", ".join(figures)
    yield "", f"on {measured['count']} samples of {measured['data']}, {measured['labels']}"


def _top(accuracy: Mapping[str, Any]) -> str:
    top5 = accuracy["top5"]
    return f"{accuracy['top1']:.2f} %" + ("" if top5 is None else f" (top-5 {top5:.2f} %)")


def _noise(quantization: Mapping[str, Any]) -> str:
    ratio = quantization["snr"]
    return (
        f"{ratio['held_out']:.1f} dB on inputs held out, {ratio['fitted']:.1f} dB on those that "
        "chose the ranges"
    )


def _noisiest(values: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Yield the calls that add most noise, with the user's lines."""
    for position, one in enumerate(sorted(values, key=_added)[: -_NAMED - 1 : -1]):
        place = " ".join(filter(None, (one["kind"], one["module"], one["source"])))
        levels = f"{min(one['before'], 99.9):.1f} -> {one['snr']:.1f} dB"
        yield ("" if position else "most noise"), f"{levels}  {place}"


def _added(value: Mapping[str, Any]) -> float:
    """Return the noise that the call itself adds, relative to the signal."""
    return 10 ** (-value["snr"] / 10) - 10 ** (-value["before"] / 10)


def _source(calibration: Mapping[str, Any]) -> str:
    generated = calibration["source"].endswith("generated inputs")
    return (
        calibration["source"]
        if generated
        else f"{calibration['count']} inputs of {calibration['source']}"
    )
