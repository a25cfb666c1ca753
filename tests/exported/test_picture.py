"""The graph as a picture, the layers by the user's modules, the map of memory: as a browser shows them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgevit.errors import PackageError
from edgevit.export.api import export
from edgevit.exported.page.cost import Timings
from edgevit.exported.page.drawing import inline
from edgevit.exported.page.outline import figures_of, read_outline
from edgevit.exported.page.page import page
from tests.browser import Tab, opened
from tests.edited import edit, manifest_of

NET = "zoo:vit-i32-p8-d24-h2-l1"
BLOCK = {f"blocks.0.{name}" for name in ("norm1", "norm2", "mlp.0", "mlp.2")}


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("picture") / "firmware"
    assert export(NET, target="qemu-m4", output=folder).passed
    return folder


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("picture") / "onnx"
    assert export(NET, target="linux-x86", format="onnx", output=folder).passed
    return folder


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with opened() as tab:
        yield tab


def click(tab: Tab, key: str) -> None:
    tab.run(f"""document.querySelector('[data-key="{key}"]').dispatchEvent(new MouseEvent('click', {{bubbles: true}}))""")  # fmt: skip


def keys(tab: Tab) -> list[str]:
    return tab.run("[...document.querySelectorAll('[data-key]')].map(x => x.dataset.key)")


def press(tab: Tab, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        tab.ask("Input.dispatchKeyEvent", type=kind, key=key, text="\r" if key == "Enter" else "")


def detail(tab: Tab) -> str:
    return tab.run("document.querySelector('.graph-detail').innerText")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_first_screen_says_the_verdict(
    firmware: Path, tab: Tab, width: int, dark: bool
) -> None:
    tab.open((firmware / "report.html").as_uri(), width, dark=dark)
    bottom = tab.run("document.querySelector('header .ok').getBoundingClientRect().bottom")
    assert 0 < bottom < 844
    names = tab.run("[...document.querySelectorAll('.tiles dt')].map(x => x.innerText)")
    assert names[:5] == ["cosine", "instructions", "RAM", "flash", "size"]
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.run("performance.getEntriesByType('navigation')[0].domComplete") < 1000
    assert tab.console == []


def test_modules_open_at_a_click_down_to_the_users_line(firmware: Path, tab: Tab) -> None:
    tab.open((firmware / "report.html").as_uri(), 1280)
    assert "module blocks.0" in keys(tab) and not {f"module {name}" for name in BLOCK} & {
        *keys(tab)
    }
    click(tab, "module blocks.0")
    assert {"module blocks.0.attention", "module blocks.0.mlp"} <= {*keys(tab)}
    click(tab, "module blocks.0.attention")
    products = tab.run("[...document.querySelectorAll('.leaf')].filter(x => x.getAttribute('aria-label').startsWith('blocks.0.attention linear')).map(x => x.dataset.key)")  # fmt: skip
    click(tab, products[0])
    assert "frontend/zoo/vit.py:4" in detail(tab) and "split-projection" in detail(tab)
    assert "instructions (emulated)" in detail(tab) and " = linear(" in detail(tab)
    click(tab, "module blocks.0")
    assert "module blocks.0.attention" not in keys(tab)
    assert tab.console == []


def test_by_the_keyboard_alone(firmware: Path, tab: Tab) -> None:
    tab.open((firmware / "report.html").as_uri(), 390)
    tab.run("document.querySelector('[data-key]').focus()")
    for _ in range(20):
        press(tab, "ArrowDown")
        if tab.run("document.activeElement.dataset.key") == "module blocks.0":
            break
    press(tab, "Enter")
    assert "module blocks.0.mlp" in keys(tab)
    press(tab, "ArrowDown")
    assert tab.run("document.activeElement.dataset.key").startswith(("node", "module blocks.0."))
    press(tab, "Escape")
    assert "module blocks.0.mlp" not in keys(tab)
    wide = tab.run("document.querySelector('.graph-scroll svg').clientWidth")
    press(tab, "+")
    assert tab.run("document.querySelector('.graph-scroll svg').clientWidth") > wide
    assert tab.run("document.documentElement.scrollWidth") <= 390


def test_each_colour_and_the_graph_before(firmware: Path, tab: Tab) -> None:
    tab.open((firmware / "report.html").as_uri(), 1280)
    colours = tab.run("[...document.querySelector('select[aria-label=\"colour by\"]').options].map(x => x.text)")  # fmt: skip
    assert colours == ["instructions (emulated)", "multiply-accumulates", "kind of operation", "rules"]  # fmt: skip
    choose = "(s => { s.selectedIndex = %d; s.dispatchEvent(new Event('change')); })(document.querySelector('select[aria-label=\"%s\"]'))"
    fills = set()
    for index in range(len(colours)):
        tab.run(choose % (index, "colour by"))
        fills.add(tab.run("[...document.querySelectorAll('.graph-scroll g > rect')].map(x => getComputedStyle(x).fill).join()"))  # fmt: skip
    assert len(fills) == len(colours)
    tab.run(choose % (1, "graph"))
    tab.run("[...document.querySelectorAll('.graph-bar button')].find(x => x.innerText == 'open all').click()")  # fmt: skip
    labels = tab.run("[...document.querySelectorAll('.leaf')].map(x => x.getAttribute('aria-label'))")  # fmt: skip
    assert sum("scaled_dot_product_attention" in label for label in labels) == 1
    assert tab.console == []


def test_a_value_of_the_memory_is_told(firmware: Path, tab: Tab) -> None:
    tab.open((firmware / "report.html").as_uri(), 1280)
    tab.run("document.querySelector('.told').focus()")
    press(tab, "ArrowRight")
    told = tab.run("document.querySelector('.told + .note').innerText")
    assert " bytes at " in told and ", loops " in told
    assert told == tab.run("document.querySelector('.told .chosen title').textContent")


@pytest.mark.parametrize("name", ["firmware", "onnx"])
def test_layers_are_modules_of_the_user(
    name: str, request: pytest.FixtureRequest, tab: Tab
) -> None:
    folder: Path = request.getfixturevalue(name)
    tab.open((folder / "report.html").as_uri(), 1280)
    rows = tab.run("[...document.querySelectorAll('#layers tbody code')].map(x => x.textContent)")
    assert {*rows} >= BLOCK and all(rows)
    assert not [row for row in rows if row.startswith("model.")]  # no wrapper of ours
    for layer in (manifest_of(folder).get("firmware") or {"execution": {"per_layer": []}})["execution"]["per_layer"]:  # fmt: skip
        assert layer["module"] in rows or (
            not layer["module"] and "the model's own forward" in rows
        )


def test_latency_goes_to_the_modules(onnx: Path) -> None:
    outline = read_outline(onnx)
    assert outline is not None
    ops = [
        {"op": "Gemm", "place": "blocks.0.mlp.0/Gemm_1", "unit": "CPU", "ms": 2.0},
        {"op": "Add", "place": "nowhere", "unit": "CPU", "ms": 9.0},
        {"op": "Gelu", "place": "blocks.0.mlp.1/Gelu_0", "unit": "CPU", "ms": 0.5},
    ]
    nodes = outline["after"]
    figures = figures_of(nodes, manifest_of(onnx), Timings(1, 1, 1, "here", "now", ops))
    timed = next(figure for figure in figures if figure.unit == "ms")
    by_module = {node["module"]: ms for node, ms in zip(nodes, timed.of, strict=True) if ms}
    assert by_module == {"blocks.0.mlp.0": 2.0, "blocks.0.mlp.1": 0.5}


def test_an_export_without_outline_has_no_picture(onnx: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(onnx, tmp_path / "old"))
    (folder / "graph" / "outline.json").unlink()
    assert 'id="view"' not in page(folder, manifest_of(folder))


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"after": [{}]}', '{"after": 3}', "nonsense", "[" * 100]
)
def test_what_is_no_outline_is_refused(onnx: Path, tmp_path: Path, content: str) -> None:
    folder = Path(shutil.copytree(onnx, tmp_path / "bad"))
    (folder / "graph" / "outline.json").write_text(content)
    with pytest.raises(PackageError, match=r"outline\.json cannot be read"):
        read_outline(folder)


def test_a_node_that_reads_a_later_one_is_refused(onnx: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(onnx, tmp_path / "cycle"))
    outline: dict[str, Any] = json.loads((folder / "graph" / "outline.json").read_text())
    outline["after"][0]["inputs"] = [3]
    (folder / "graph" / "outline.json").write_text(json.dumps(outline))
    with pytest.raises(PackageError) as error:
        read_outline(folder)
    assert "reads a later one" in error.value.why


def test_nothing_in_an_outline_or_drawing_runs(onnx: Path, tmp_path: Path, tab: Tab) -> None:
    bad = "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    folder = Path(shutil.copytree(onnx, tmp_path / "poisoned"))
    outline = json.loads((folder / "graph" / "outline.json").read_text())
    for node in outline["after"]:
        node |= {key: node[key] + bad for key in ("name", "op", "type", "module", "source")}
        node["rules"] = [bad]
    (folder / "graph" / "outline.json").write_text(json.dumps(outline))
    edit(folder, sealed=True)
    html = tmp_path / "report.html"
    html.write_text(page(folder, manifest_of(folder)))
    tab.open(html.as_uri(), 390)
    tab.run("document.querySelector('.leaf').dispatchEvent(new MouseEvent('click', {bubbles: true}))")  # fmt: skip
    assert "pwned" in detail(tab) and "pwned" not in tab.run("document.title")
    assert tab.console == []


def test_a_drawing_brings_shapes_alone() -> None:
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" onload="x()"><script>y</script>'
        '<rect x="1" style="position:fixed" onclick="z()"><title>a &amp; b</title></rect>'
        '<foreignObject><div/></foreignObject><image href="http://example.com/x.png"/></svg>'
    )
    text = inline(drawing.encode(), "words")
    assert text == (
        '<svg class="picture" viewBox="0 0 9 9" role="img" aria-label="words">'
        '<rect x="1"><title>a &amp; b</title></rect></svg>'
    )
    assert inline(b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg>&a;</svg>", "words") == ""
    assert inline(b"<svg", "words") == "" and inline(b"\xff", "words") == ""
