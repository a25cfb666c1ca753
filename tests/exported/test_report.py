"""report.html: what is in it, that it is whole by itself, and how it looks in a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.cli.backend_words import backend_options_of, calibration_of
from edgevit.cli.export import _model_options
from edgevit.cli.main import _parser, main
from edgevit.cli.plan import chosen
from edgevit.export.api import export, inspect
from edgevit.exported.page.cost import Timings, Trade
from edgevit.exported.page.page import page
from tests.edited import edit, manifest_of

SHALLOW, DEEP = "zoo:vit-i32-p8-d24-h2-l1", "zoo:vit-i32-p8-d24-h2-l30"
FLAGS = [
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
    "--enable-logging=stderr",
]
OPS = [
    {"op": f"Conv{k % 7}", "place": f"blocks.{k}.conv", "unit": "CPU", "ms": 1 / (k + 1)}
    for k in range(300)
]
TIMINGS = Timings(4.2, 4.1, 4.4, "this machine", "2026-01-01", OPS)
BAD = '"\'><script>document.title="pwned"</script><img src=x onerror="document.title=1">&lt;'


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "exported"
    assert export(SHALLOW, target="linux-x86", format="onnx", output=folder).passed
    return folder


@pytest.fixture(scope="module")
def deep(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with the graph and the rewrites of a net of 30 layers: all that grows with depth."""
    folder = Path(shutil.copytree(exported, tmp_path_factory.mktemp("report") / "deep"))
    found = inspect(DEEP, target="linux-x86")
    for when in ("before", "after"):
        (folder / "graph" / f"{when}.txt").write_text(found.text)
    nodes = [node(k, f"blocks.{k // 20}.part{k % 3}") for k in range(600)]
    outline = {"before": nodes, "after": nodes}
    (folder / "graph" / "outline.json").write_text(json.dumps(outline))
    of_graph = {key: found.as_dict()[key] for key in ("graph", "rewrites", "ops")}
    edit(folder, sealed=True, **of_graph)
    assert sum(of_graph["ops"]["after"].values()) > 300
    return folder


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "firmware"
    assert export("zoo:vit-i32-p8-d24-h2-l1", target="qemu-m3", output=folder).passed
    return folder


def node(index: int, module: str) -> dict[str, Any]:
    return {
        "name": f"linear_{index}",
        "op": "linear",
        "type": "1x2 f32",
        "module": module,
        "source": f"net.py:{index}",
        "rules": ["split-projection"],
        "inputs": [index - 1] if index else [],
        "macs": index,
    }


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("EDGEVIT_CI"):
            raise AssertionError("chromium is missing")
        pytest.skip("chromium is missing: apt-get install chromium")
    return found


def looked_at(html: Path, width: int, work: Path) -> dict[str, Any]:
    """In a frame of that width: how wide the page became, when it was there, its title, and what the console said."""
    frame = work / "frame.html"
    frame.write_text(
        f'<body><iframe id="f" src="{html}" style="border:0;width:{width}px;height:2000px"></iframe><script>f.onload = () => {{'
        "const d = f.contentDocument, r = d.documentElement;"
        "const out = {wide: r.scrollWidth, view: r.clientWidth, title: d.title,"
        "  ready: f.contentWindow.performance.getEntriesByType('navigation')[0].domComplete,"
        "  filters: d.querySelectorAll('.filter').length, text: d.body.innerText.length};"
        "const field = d.querySelector('.filter');"
        "if (field) { d.querySelectorAll('details').forEach(x => x.open = true); out.open = r.scrollWidth;"
        "  field.value = 'LINEAR('; field.dispatchEvent(new Event('input'));"
        "  out.left = d.querySelector('.listing').textContent; }"
        "const p = document.createElement('pre'); p.id = 'out'; p.textContent = JSON.stringify(out); document.body.append(p); }"
        "</script>"
    )
    command = [browser(), *FLAGS, f"--user-data-dir={work / 'user'}", "--dump-dom", str(frame)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="out">(.*?)</pre>', ran.stdout, re.S)
    assert found is not None, ran.stderr
    console = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
    return {**json.loads(unescape(found[1])), "console": console}


def pictured(html: Path, width: int, dark: bool, work: Path) -> np.ndarray:
    from PIL import Image

    target = work / f"shot-{width}-{dark}.png"
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    words = [f"--window-size={width},1600", f"--screenshot={target}", str(html)]
    command = [browser(), *FLAGS, *scheme, f"--user-data-dir={work / 'user'}", *words]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    return np.asarray(Image.open(target).convert("L"))


def test_an_export_leaves_a_page_that_is_whole_by_itself(exported: Path) -> None:
    manifest = manifest_of(exported)
    assert "report.html" in {entry["path"] for entry in manifest["files"]}
    text = (exported / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert "default-src 'none'" in text and "url(" not in text
    for rule in manifest["rewrites"]:
        assert (f"<code>{rule['rule']}</code>" in text) == bool(rule["fired"] or rule["refused"])
    for entry in manifest["parity"]:
        assert f"{entry['rel_l2']:.2e}" in text
    counts = sum(manifest["ops"]["after"].values())
    assert counts >= manifest["graph"]["after"]["ops"] > 10
    assert "Not measured" in text and "not measured" not in text.lower().split("latency", 1)[0]
    last = (exported / "graph" / "after.txt").read_text().splitlines()[-1]
    assert last.startswith("return ") and last in text


def test_small_and_quick_in_a_browser_at_every_width(deep: Path, tmp_path: Path) -> None:
    html = tmp_path / "report.html"
    html.write_text(page(deep, manifest_of(deep), TIMINGS, [Trade("t", "<svg/>")]))
    assert html.stat().st_size < 2_000_000
    for width in (390, 1200):
        found = looked_at(html, width, tmp_path)
        assert found["console"] == []
        assert found["wide"] <= found["view"] <= width  # nothing to scroll to the side
        assert found["open"] <= found["view"]
        assert found["ready"] < 1000  # milliseconds
        assert found["text"] > 1000
        assert found["filters"] == 2
        assert found["left"] and all("linear(" in row for row in found["left"].splitlines())


def test_light_and_dark(exported: Path, tmp_path: Path) -> None:
    html = exported / "report.html"
    light, dark = (pictured(html, 1000, dark, tmp_path) for dark in (False, True))
    assert light[2, 2] > 240 and dark[2, 2] < 40
    for shot in (light, dark):
        ink = np.abs(shot.astype(int) - int(shot[2, 2])) > 90
        assert 0.005 < ink.mean() < 0.5  # there is something, and it can be told from its ground
        assert ink[:800].any(1).sum() > 100


def poisoned(content: Any) -> Any:
    """Every text of the manifest ends in what would run, were it not escaped."""
    if isinstance(content, dict):
        return {
            key if key in KEPT else f"{key}{BAD}" if key.isupper() else key: value
            if key in KEPT
            else poisoned(value)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [poisoned(value) for value in content]
    return f"{content}{BAD}" if isinstance(content, str) else content


KEPT = {"unit", "artifact", "placement"}


def test_nothing_in_a_manifest_runs(exported: Path, tmp_path: Path) -> None:
    manifest = poisoned({k: v for k, v in manifest_of(exported).items() if k != "ops"})
    manifest["ops"] = {when: {BAD: 3} for when in ("before", "after")}
    manifest["versions"] = {BAD: BAD}
    timings = Timings(1, 1, 1, BAD, BAD, [{"op": BAD, "place": BAD, "unit": BAD, "ms": 1.0}], BAD)
    html = tmp_path / "report.html"
    html.write_text(page(exported, manifest, timings, [Trade(BAD, BAD)]))
    assert "<script>document" not in html.read_text() and "<img src=x" not in html.read_text()
    found = looked_at(html, 390, tmp_path)
    assert found["title"].startswith(manifest["model"]["name"]) and found["title"] not in {"pwned", "1"}  # fmt: skip
    assert found["console"] == []
    assert found["wide"] <= found["view"]


def test_firmware_has_layers_and_a_map_of_its_memory(firmware: Path) -> None:
    text = (firmware / "report.html").read_text()
    execution = manifest_of(firmware)["firmware"]["execution"]
    assert f"{execution['instructions']:,} instructions" in text and "emulated" in text
    assert f"{execution['memory']['ram_bytes']:,} bytes" in text
    for layer in execution["per_layer"]:
        assert f"{layer['kind']}  {layer['name']}" in text
    assert 'class="picture"' in text
    assert 'id="latency"' not in text


def test_the_page_again_with_latency_and_trade_offs(exported: Path, tmp_path: Path, capsys) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "deep"))
    assert main(["profile", str(folder), "--rounds", "2", "--ops", "--quiet"]) == 0
    trials = [
        {"number": k, "figures": {"instructions": 10 - k, "ram_bytes": k + 1}} for k in range(5)
    ]
    (tmp_path / "trials.json").write_text(json.dumps(trials))
    assert main(["report", str(folder), "--trades", str(tmp_path / "trials.json"), "--quiet"]) == 0
    text = (folder / "report.html").read_text()
    assert " measured on " in text and "Among others" in text and "Latency by op" in text
    assert main(["verify", str(folder)]) == 0  # the manifest knows the new page
    apart = tmp_path / "apart.html"
    words = ["--profile", "--rounds", "2", "--json", "--quiet", "-o", str(apart)]
    capsys.readouterr()
    assert main(["report", str(folder), *words]) == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(apart)}
    assert "Softmax" in apart.read_text().partition("Latency by op")[2]


def test_what_cannot_be_reported(exported: Path, tmp_path: Path, capsys) -> None:
    assert main(["report", str(tmp_path)]) == 12
    assert (
        main(["report", str(exported), "--trades", str(tmp_path), "-o", str(tmp_path / "x")]) == 2
    )
    (tmp_path / "trials.json").write_text("{}")
    assert (
        main(["report", str(exported), "--trades", str(tmp_path), "-o", str(tmp_path / "x")]) == 2
    )
    assert main(["report", str(exported), "-o", str(tmp_path / "no" / "x.html")]) == 11
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--observer", "percentile", "--optimize", "ram", "--max-ram", "20000", "--residual", "int16", "--choose", "tile=4"],
        ["--input-size", "64x32", "--seed", "3", "--mean=-1,0.5,0.5", "--std", "1,1,0.25", "--image-input"],
        ["--without", "fold-constants", "--without", "drop-identity", "--weights", "a b/w.pth", "--batch", "2"],
    ],
)  # fmt: skip
def test_the_command_says_what_was_asked(words: list[str]) -> None:
    import shlex

    from edgevit.export.reproduce import Repeated, export_command
    from edgevit.frontend.arguments import ModelArguments
    from edgevit.targets import load_target

    def asked(given: list[str]) -> dict[str, Any]:
        parsed = _parser().parse_args(given)
        return {
            **_model_options(parsed),
            "own": backend_options_of(parsed).get("mcu"),
            "calibration": calibration_of(parsed),
            "choose": chosen(parsed),
            "without": parsed.without,
            "target": parsed.target,
        }

    first = asked(["export", "net.py:it's", "--target", "qemu-m4", *words])
    own, choose, without = (first[key] for key in ("own", "choose", "without"))
    options = {k: v for k, v in first.items() if k in _model_options(_parser().parse_args(["export", "m", "--target", "t"])) and v}  # fmt: skip
    command = export_command(
        Repeated(
            ModelArguments("net.py:it's"),
            load_target("qemu-m4"),
            "mcu",
            "int8",
            options=options,
            without=without,
            chosen=choose,
            backend_options=own,
            calibration=first["calibration"],
        )
    )
    again = shlex.split(command)
    assert again[:3] == ["edgevit", "export", "net.py:it's"]
    assert asked(again[1:]) == first


def test_the_command_is_kept(firmware: Path) -> None:
    assert manifest_of(firmware)["command"] == (
        "edgevit export zoo:vit-i32-p8-d24-h2-l1 --target qemu-m3 --format mcu --precision int8 --image-input"
    )


def test_a_kill_between_page_and_manifest_is_mended(exported: Path, tmp_path: Path, capsys) -> None:
    """The page is then not the one that is listed: the next `report` writes both."""
    folder = Path(shutil.copytree(exported, tmp_path / "killed"))
    (folder / "report.html").write_text("the new page")
    (folder / ".edgevit.json.edgevit-999999999").write_text("a draft")
    assert main(["verify", str(folder)]) == 12
    assert main(["report", str(folder), "--quiet"]) == 0
    assert main(["verify", str(folder)]) == 0
    assert not list(folder.glob(".*"))


def test_it_opens_in_the_browser(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or says that there is none, and where the page is."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or len(opened) == 1)
    assert main(["report", str(exported), "--open", "--quiet"]) == 0
    assert opened == [(exported / "report.html").resolve().as_uri()]
    assert main(["report", str(exported), "--open", "--quiet"]) == 10
    assert main(["open", str(exported)]) == 10
    assert opened[-1] == opened[0]


def test_the_page_begins_with_what_is_asked_first(exported: Path) -> None:
    text = (exported / "report.html").read_text()
    places = [text.index(f'id="{name}"') for name in ("parity", "rules", "made")]
    assert places == sorted(places) and text.index('class="ok"') < places[0]
