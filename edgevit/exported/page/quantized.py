"""Report section on a quantised artifact: a picture of the noise along the layers, methods, accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edgevit.exported.page.html import Html, badge, fold, note, section, table, tag
from edgevit.exported.quantized_text import accuracy_rows, quantization_rows

_TOP, _HEIGHT = 60.0, 120  # dB and units at the top of the picture
_LINES = (20, 40)  # dB
_WIDTH = 600


def quantized_section(manifest: Mapping[str, Any]) -> Html | str:
    quantization = manifest.get("quantization")
    if not quantization:
        return _accuracy_alone(manifest)
    rows = [(tag("b", name) if name else "", text) for name, text in quantization_rows(manifest)]
    values, methods = quantization["values"], quantization["methods"]
    return section(
        "quantised",
        "Quantisation",
        *(tag("p", tag("b", "warning: "), text) for text in quantization["warnings"]),
        tag("ul", *(tag("li", name, " " if name else "", text.strip()) for name, text in rows)),
        _picture(values) if values else "",
        fold("Values", _values(values), count=str(len(values))) if values else "",
        table(("method", "", "dB before", "dB after"), _methods(methods), "What each method brings", texts=2) if methods else "",
        fold("Calls in floats", _islands(quantization["float_islands"]), count=str(len(quantization["float_islands"]))),
    )  # fmt: skip


def _accuracy_alone(manifest: Mapping[str, Any]) -> Html | str:
    rows = [tag("p", text) for _, text in accuracy_rows(manifest.get("accuracy"))]
    return section("quantised", "Accuracy", *rows) if rows else ""


def _picture(values: Sequence[Mapping[str, Any]]) -> Html:
    """Draw a bar a value, as high as its ratio of signal to noise."""
    step = _WIDTH / len(values)
    bars = "".join(_bar(value, index * step, step) for index, value in enumerate(values))
    lines = "".join(_line(ratio) for ratio in _LINES)
    words = "Signal to noise of each value against the float model, in the order of the graph"
    drawing = Html(
        f'<svg class="noise" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{words}">{bars}{lines}</svg>'
    )
    shown = tag(
        "div", drawing, class_="told", tabindex="0", role="region", aria_label="noise of each value"
    )
    return tag("figure", shown, tag("figcaption", f"{words}: 0 to {_TOP:.0f} dB, lines at 20 and 40; the first on the left.", class_="note"))  # fmt: skip


def _bar(value: Mapping[str, Any], x: float, step: float) -> str:
    height = max(0.0, min(value["snr"], _TOP)) / _TOP * _HEIGHT
    name = escape(f"{value['kind']} {value['module']} {value['source']}: {value['snr']:.1f} dB")
    return (
        f'<rect x="{x:.2f}" y="{_HEIGHT - height:.1f}" width="{max(step * 0.8, 0.5):.2f}" '
        f'height="{height:.1f}"><title>{name}</title></rect>'
    )


def _line(ratio: float) -> str:
    y = _HEIGHT * (1 - ratio / _TOP)
    return f'<line x1="0" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _values(values: Sequence[Mapping[str, Any]]) -> Html:
    rows = [
        (tag("code", v["kind"]), v["module"], tag("code", v["source"]), f"{v['before']:.1f}", f"{v['snr']:.1f}")
        for v in values
    ]  # fmt: skip
    return table(("call", "module", "line", "dB read", "dB"), rows, "Noise of each value", texts=3)


def _methods(methods: Sequence[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (m["name"], badge(True, "taken") if m["taken"] else note("not taken"), f"{m['before']:.1f}", f"{m['after']:.1f}")
        for m in methods
    ]  # fmt: skip


def _islands(islands: Sequence[Mapping[str, Any]]) -> Html:
    rows = [(tag("code", i["kind"]), i["module"], tag("code", i["source"]), i["why"]) for i in islands]  # fmt: skip
    return table(("call", "module", "line", "why"), rows, "Calls that compute in floats", texts=4)
