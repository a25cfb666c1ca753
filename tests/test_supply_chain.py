"""What is installed is pinned, hashed and listed; what is written names its licence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT

LICENCE = "SPDX-License-Identifier: Apache-2.0"
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)$")
HASH = re.compile(r"^([a-z0-9-]+)==(\S+) --hash=sha256:[0-9a-f]{64}$")
sys.path.insert(0, str(ROOT / "benchmarks"))


def rows(name: str, pattern: re.Pattern[str]) -> dict[str, str]:
    lines = [x for x in (ROOT / name).read_text().splitlines() if x and not x.startswith("#")]
    matches = [pattern.match(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    found = {match[1]: match[2] for match in matches if match}
    assert len(found) == len(lines)
    return found


def kernel_files() -> list[Path]:
    return [p for p in sorted((ROOT / "kernels").rglob("*")) if p.is_file() and p.name != "LICENSE"]


@pytest.mark.parametrize("path", kernel_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_kernel_file_names_its_licence(path: Path) -> None:
    lines = path.read_text().strip().splitlines()
    assert LICENCE in (lines[-1] if path.suffix == ".md" else lines[0])


def test_all_that_the_extras_need_is_pinned_and_hashed() -> None:
    sbom = pytest.importorskip("sbom")
    installed = {name: one.version.partition("+")[0] for name, (one, _) in sbom.closure().items()}
    installed.pop("pip", None)
    pins, hashes = rows("constraints.txt", PIN), rows("constraints-hashes.txt", HASH)
    assert {name: pins.get(name) for name in installed} == installed
    assert pins == hashes | {"torch": pins["torch"]}
    assert "://" not in (ROOT / "constraints-hashes.txt").read_text()


def test_what_is_installed_fits_together() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_bill_of_materials_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "sbom.json"
    script = [sys.executable, str(ROOT / "benchmarks" / "sbom.py"), "--output", str(output)]
    subprocess.run(script, check=True)
    bill: dict[str, Any] = json.loads(output.read_text())
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.5", 1)
    components = bill["components"]
    refs = {c["bom-ref"] for c in components}
    assert len(refs) == len(components) > 100
    assert {f"pkg:pypi/{name}@" for name in ("torch", "numpy", "coremltools", "onnx")} <= {
        ref.partition("@")[0] + "@" for ref in refs
    }
    for component in components:
        assert component["type"] == "library"
        assert component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
        assert {h["alg"] for h in component.get("hashes", [])} <= {"SHA-256"}
        assert all(set(x) in ({"expression"}, {"license"}) for x in component.get("licenses", []))
    assert sum("hashes" in component for component in components) > 100
    own = bill["metadata"]["component"]["bom-ref"]
    linked = {d["ref"]: d["dependsOn"] for d in bill["dependencies"]}
    assert set(linked) == refs | {own}
    assert {ref for below in linked.values() for ref in below} <= refs
    reached, pending = set(), [own]
    while pending:
        ref = pending.pop()
        if ref not in reached:
            reached.add(ref)
            pending += linked[ref]
    assert refs <= reached
