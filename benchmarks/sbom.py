"""A CycloneDX 1.5 bill of materials: edgevit, and everything that its extras brought into this environment.

python benchmarks/sbom.py [--output sbom.cdx.json]

Read from the metadata of what is installed; hashes are those of constraints-hashes.txt, where the version is the same.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import edgevit

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_HASH = re.compile(r"^([\w.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})$", re.MULTILINE)


def requirements() -> list[str]:
    """Of edgevit and all of its extras that `make` installs, but what builds the site: no command and no test runs it."""
    extras = {
        name: group
        for name, group in PROJECT["optional-dependencies"].items()
        if name not in ("docs", "ultralytics")
    }
    words = [*PROJECT["dependencies"], *(word for group in extras.values() for word in group)]
    return [word for word in words if not word.startswith("edgevit[")]


def needed(distribution_: Distribution, extras: set[str]) -> Iterator[Requirement]:
    """What it needs here, with those extras."""
    for text in distribution_.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement


def closure() -> dict[str, tuple[Distribution, set[str]]]:
    """By canonical name, with the extras it is asked for. Raises `SystemExit` for what is not installed: a bill that lacks something is none."""
    pending = [Requirement(word) for word in requirements()]
    seen: set[tuple[str, frozenset[str]]] = set()
    found: dict[str, tuple[Distribution, set[str]]] = {}
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        key = name, frozenset(requirement.extras)
        if key in seen:
            continue
        seen.add(key)
        try:
            one, extras = found.get(name) or (distribution(name), set())
        except PackageNotFoundError:
            sys.exit(f"{name} is not installed: `make .venv/.dev` first")
        found[name] = one, extras | requirement.extras
        pending += needed(one, set(requirement.extras))
    return found


def hashes() -> dict[tuple[str, str], str]:
    text = (ROOT / "constraints-hashes.txt").read_text()
    return {(name, version): digest for name, version, digest in _HASH.findall(text)}


def component(name: str, one: Distribution, digests: dict[tuple[str, str], str]) -> dict[str, Any]:
    version = one.version.partition("+")[0]
    entry: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
    }
    if licence := licence_of(one):
        entry["licenses"] = [licence]
    if digest := digests.get((name, version)):
        entry["hashes"] = [{"alg": "SHA-256", "content": digest}]
    return entry


def licence_of(one: Distribution) -> dict[str, Any] | None:
    """The SPDX expression where the package has one, else the first line of what it says."""
    facts: Any = one.metadata
    if expression := facts.get("License-Expression"):
        return {"expression": expression}
    stated = [x.rpartition(" :: ")[2] for x in facts.get_all("Classifier", []) if x.startswith("License ::")]  # fmt: skip
    lines = (facts.get("License") or "").strip().splitlines()
    name = next(iter([*stated, *lines[:1]]), "")
    return {"license": {"name": name[:120]}} if name else None


def bill() -> dict[str, Any]:
    found, digests = closure(), hashes()
    own = f"pkg:pypi/{PROJECT['name']}@{edgevit.__version__}"
    refs = {
        name: f"pkg:pypi/{name}@{one.version.partition('+')[0]}" for name, (one, _) in found.items()
    }
    direct = sorted({refs[canonicalize_name(Requirement(word).name)] for word in requirements()})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": PROJECT["name"],
                "version": edgevit.__version__,
                "purl": own,
                "licenses": [{"license": {"id": PROJECT["license"]}}],
            }
        },
        "components": [component(name, found[name][0], digests) for name in sorted(found)],
        "dependencies": [
            {"ref": own, "dependsOn": direct},
            *({"ref": refs[name], "dependsOn": below(*found[name], refs)} for name in sorted(found)),
        ],
    }  # fmt: skip


def below(one: Distribution, extras: set[str], refs: dict[str, str]) -> list[str]:
    names = {canonicalize_name(requirement.name) for requirement in needed(one, extras)}
    return sorted(refs[name] for name in names if name in refs)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a CycloneDX bill of materials.")
    parser.add_argument("--output", type=Path, default=Path("sbom.cdx.json"))
    output: Path = parser.parse_args().output
    output.write_text(json.dumps(bill(), indent=2) + "\n")


if __name__ == "__main__":
    main()
