"""An export for a browser, run by one: numbers, times, the page without a network, and what goes wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from edgevit.backends.api import Expected
from edgevit.backends.artifact import Artifact
from edgevit.backends.browser.backend import BACKEND
from edgevit.backends.browser.chromium import BROWSER, MORE_FLAGS, Chromium
from edgevit.backends.browser.files import DATA, PAGE, page_files
from edgevit.backends.browser.options import OPTIONS
from edgevit.backends.browser.runtimes import GPU
from edgevit.backends.browser.server import PageServer
from edgevit.backends.browser.session import Browser, open_in_browser
from edgevit.errors import BackendRuntimeError, EdgevitError, PackageError, UsageError
from edgevit.exported.golden import load_golden
from edgevit.exported.verify import verify
from edgevit.graph.parity import distance
from edgevit.measure.api import profile
from edgevit.measure.runner import open_runner
from edgevit.measure.served import serve
from edgevit.measure.store import open_store
from edgevit.support.descendants import descendants
from edgevit.support.python import module_command
from tests.backends.browser.page import exported_page
from tests.edited import edit, manifest_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = exported_page(tmp_path_factory.mktemp("page") / "out")
    assert result.passed
    return result.directory


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    return folder / manifest_of(folder)["artifact"]


@pytest.fixture(scope="module")
def browser(page: Path) -> Iterator[Browser]:
    with Browser(page) as browser:
        yield browser


def test_both_runtimes_compute_what_the_model_does_and_are_timed(folder: Path) -> None:
    manifest = manifest_of(folder)
    worst = {one["stage"]: one["rel_l2"] for one in manifest["parity"]}
    assert worst["runtime ort-wasm"] < 1e-4 and worst["runtime litert-wasm"] < 1e-4
    measured = manifest["browser"]
    assert measured["kind"] == "measured" and measured["isolated"] and "Chrome" in measured["agent"]
    for figures in measured["runtimes"][:2]:
        assert 0 < figures["low_ms"] <= figures["median_ms"] <= figures["high_ms"]
        assert figures["runs"] >= 3 and figures["threads"] == measured["cores"]
    assert manifest["versions"]["onnxruntime-web"] and manifest["versions"]["@litertjs/core"]


def test_the_folder_holds_all_that_the_page_needs(folder: Path, page: Path) -> None:
    facts = json.loads((page / "page.json").read_text())
    assert facts["inputs"] == [{"name": "image", "shape": [1, 3, 32, 32], "dtype": "float32"}]
    assert facts["prepare"]["resized"] == [32, 32]
    text = "".join(
        (page / name).read_text() for name in ("index.html", "app.js", "runtimes.js", "style.css")
    )
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"(?m)^\s*//.*$|\s// .*$", "", text))
    entry = re.search(r'<script type="importmap">(.*?)</script>', (PAGE / "index.html").read_text())
    digest = base64.b64encode(hashlib.sha256(entry[1].encode()).digest()).decode()  # type: ignore[index]
    assert f"'sha256-{digest}'" in (PAGE / "index.html").read_text()


def test_it_is_verified_from_the_folder(folder: Path) -> None:
    assert verify(folder).passed


PROBE = b"""<!doctype html><iframe src="index.html#run" width="390" height="1200" style="border:0"></iframe><script>
const frame = document.querySelector("iframe");
setInterval(() => {
  const page = frame.contentDocument;
  if (!/store|taken|Error|fail/.test(page?.getElementById("state")?.textContent ?? "")) return;
  const root = page.documentElement;
  const said = { state: page.getElementById("state").textContent, wide: root.scrollWidth, room: root.clientWidth };
  fetch("looked", { method: "POST", body: JSON.stringify(said) });
}, 100);
</script>"""


def test_a_browser_without_a_network_measures_the_page_and_the_figures_are_stored(
    folder: Path, page: Path, tmp_path: Path
) -> None:
    """The browser of the tests reaches 127.0.0.1 alone. The page is as wide as a phone."""
    store, came = str(tmp_path / "store.sqlite"), threading.Event()
    looked: list[dict] = []
    server = serve(folder, port=0, store=lambda: open_store(store))
    shipped = {
        path.relative_to(page).as_posix(): path for path in page.rglob("*") if path.is_file()
    }
    posted = server.post
    assert posted is not None

    def post(path: str, body: bytes, agent: str) -> bytes:
        if path != "looked":
            return posted(path, body, agent)
        looked.append(json.loads(body))
        came.set()
        return b""

    # The folder's own files, byte for byte; `page.json` says where figures go.
    server.files = {**shipped, "page.json": server.files["page.json"], "probe.html": PROBE}
    server.post = post
    chromium = Chromium(f"{server.address}probe.html")
    try:
        assert came.wait(60), chromium.last_words()
    finally:
        chromium.close()
        server.close()
    assert looked[0]["state"] == "the figures are in the store"
    assert looked[0]["wide"] <= looked[0]["room"] <= 390
    with open_store(store) as opened:
        rows = opened.rows()
    assert {row.details["notes"][0].partition(",")[0] for row in rows} >= {
        "ort-wasm",
        "litert-wasm",
    }
    assert all("Chrome" in row.device["os"] and row.kind == "measured" for row in rows)


def test_the_command_serves_it_until_it_is_interrupted(folder: Path) -> None:
    from urllib.request import urlopen

    words = module_command("edgevit", "serve", str(folder), "--port", "0", "--no-store", "--json")
    # a suite that was started in the background ignores interrupts, and so would the command
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=listen)
    try:
        assert command.stdout is not None
        (address,) = json.loads(command.stdout.readline())["addresses"]
        with urlopen(address) as answer:
            assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
            assert answer.read() == (PAGE / "index.html").read_bytes()
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 130  # as of every command
    finally:
        command.kill()
        command.communicate()


def test_nonsense_that_is_posted_is_not_stored(folder: Path) -> None:
    server = serve(folder, port=0)
    try:
        assert server.post is not None
        for body in (b"", b"{}", b'{"figures": [{"runtime": "x"}]}', b"[" * 10_000):
            with pytest.raises(ValueError, match=r"."):
                server.post("figures", body, "")
        with pytest.raises(ValueError, match=r"."):
            server.post("elsewhere", b"", "")
    finally:
        server.close()


def test_a_runner_measures_it_by_the_pages_clock(folder: Path) -> None:
    (figures,) = profile(
        folder, on="browser:litert-wasm", rounds=3, threads=1, no_store=True
    ).figures
    assert figures.kind == "measured" and 0 < figures.latency.median < 1
    assert "litert-wasm in Mozilla" in figures.notes[0]
    with pytest.raises(UsageError, match="no runtime `lite`"):
        open_runner("browser:lite")
    with pytest.raises(PackageError, match="does not run there"):
        open_runner("ssh://board").subject(folder)


def test_a_page_begins_with_the_runtime_that_was_chosen(page: Path, tmp_path: Path) -> None:
    """`tune` chooses among these options."""
    facts = json.loads((page / "page.json").read_text())
    assert facts["runtime"] == "litert-wasm" and facts["threads"] == 0
    assert {choice.name for choice in OPTIONS.choices} == {"runtime", "page_threads"}
    for path in DATA:
        shutil.copy(page / path, tmp_path / path)
    (tmp_path / "page.json").write_text(json.dumps({**facts, "runtime": "ort-wasm", "threads": 1}))
    session = open_in_browser(tmp_path, None, 0)
    assert (session.runtime, session.threads) == ("ort-wasm", 1)
    session.browser.close()


def test_threads_are_what_was_asked_for(browser: Browser) -> None:
    assert [browser.open("litert-wasm", threads).threads for threads in (1, 2)] == [1, 2]


@pytest.mark.parametrize(
    ("name", "runtime"), [("model.onnx", "ort-wasm"), ("model.tflite", "litert-wasm")]
)
def test_a_damaged_model_is_refused(page: Path, tmp_path: Path, name: str, runtime: str) -> None:
    for path in DATA:
        shutil.copy(page / path, tmp_path / path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 3])
    with pytest.raises(EdgevitError, match=r"does not open the model|died|hangs") as error:
        open_in_browser(tmp_path, runtime, 1, limit=20)
    assert error.value.exit_code != 70 and error.value.hint


@pytest.mark.parametrize("damage", ["missing", "link", "facts"])
def test_a_damaged_page_is_refused(page: Path, tmp_path: Path, damage: str) -> None:
    for path in DATA:
        shutil.copy(page / path, tmp_path / path)
    if damage == "facts":
        (tmp_path / "page.json").write_text('{"name": 1}')
    else:
        (tmp_path / "model.onnx").unlink()
    if damage == "link":
        (tmp_path / "model.onnx").symlink_to("/etc/hostname")
    with pytest.raises(PackageError) as error:
        Browser(tmp_path)
    assert error.value.why and error.value.hint


def test_scripts_of_a_strangers_folder_are_never_served(folder: Path, tmp_path: Path) -> None:
    """The model of a stranger's folder is data; everything that runs is ours."""
    theirs = Path(shutil.copytree(folder, tmp_path / "theirs"))
    page = theirs / manifest_of(theirs)["artifact"]
    for script in (*page.glob("*.js"), page / "index.html", *page.glob("runtime/**/*js")):
        script.write_text("<script>steal()</script>")
    edit(theirs)
    for name, path in page_files(page).items():
        assert path.is_relative_to(page) == (name in DATA)
        assert name in DATA or b"steal" not in path.read_bytes()
    server = serve(theirs, port=0)
    server.close()
    assert not any(
        b"steal" in (f if isinstance(f, bytes) else f.read_bytes()) for f in server.files.values()
    )


def test_a_tab_that_dies_is_an_error_at_once(page: Path) -> None:
    with Browser(page, limit=60) as opened:
        session = opened.open("ort-wasm", 1)
        inputs = [np.zeros((1, 3, 32, 32), np.float32)]
        session.run(inputs)
        for pid in descendants(opened._chromium._process.pid):
            if b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        begin = time.monotonic()
        with pytest.raises(BackendRuntimeError, match="died") as error:
            session.run(inputs)
        assert time.monotonic() - begin < 15 and error.value.why and error.value.hint


@pytest.mark.parametrize(
    ("script", "message"),
    [("exit 3", "the browser ended before"), ("sleep 30", "does not show the page")],
)
def test_a_browser_that_crashes_or_hangs_is_an_error(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    tool = tmp_path / "browser"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv(BROWSER, str(tool))
    with pytest.raises(BackendRuntimeError, match=message) as error:
        Browser(page, limit=1.5)
    assert error.value.why and error.value.hint


def test_without_a_browser_the_page_is_unchecked(
    folder: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BROWSER, "/nowhere/chromium")
    artifact = Artifact("browser", "fp32", page, {})
    parity = BACKEND.check(artifact, Expected(*load_golden(folder)))
    assert parity and not any(one.passed for one in parity)
    assert "not run: no browser here" in parity[0].unchecked[0]


def test_a_session_gives_the_models_outputs(folder: Path, browser: Browser) -> None:
    inputs, outputs = load_golden(folder)
    session = browser.open("ort-wasm", 1)
    (result,) = session.run([x.numpy() for x in inputs])
    assert distance(outputs, (torch.from_numpy(np.array(result)),)).rel_l2 < 1e-4


def test_webgpu_runs_where_the_browser_offers_it(
    folder: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In software: SwiftShader comes with Chromium."""
    monkeypatch.setenv(
        MORE_FLAGS, "--no-sandbox --enable-unsafe-webgpu --use-webgpu-adapter=swiftshader"
    )
    inputs, outputs = load_golden(folder)
    with Browser(page) as opened:
        assert "swiftshader" in opened.offered.gpu
        for runtime in GPU:
            (result,) = opened.open(runtime, 1).run([x.numpy() for x in inputs])
            assert distance(outputs, (torch.from_numpy(np.array(result)),)).rel_l2 < 1e-3


def test_other_pages_cannot_reach_the_check(page: Path) -> None:
    """Paths without the token are not served."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    server = PageServer({"index.html": b"x"}, token="secret")
    try:
        assert urlopen(f"http://127.0.0.1:{server.port}/secret/").read() == b"x"
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"http://127.0.0.1:{server.port}/index.html")
    finally:
        server.close()
