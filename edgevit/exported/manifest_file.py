"""`edgevit.json` as bytes: written atomically, with a seal and a digest in its last two lines.

The last line is a digest of all bytes before it. It detects damage: a change of any byte of the
file. The line above it is a seal by a key that only this user on this machine has. It distinguishes
a folder that was exported here from one that another user wrote.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevit.support.own_key import is_sealed, seal_of
from edgevit.support.whole_file import write_whole

MANIFEST = "edgevit.json"

_TAIL = re.compile(
    rb'(?P<said>(?P<body>.*),\n  "seal": (?P<seal>null|"[0-9a-f]{64}")),\n'
    rb'  "digest": "(?P<digest>[0-9a-f]{64})"\n}\n',
    re.DOTALL,
)
_OF_THE_FILE = ("seal", "digest")


def write_manifest(folder: Path, manifest: Mapping[str, Any], *, sealed: bool = True) -> None:
    """Write the manifest. `sealed`: this user wrote, or vouches for, every listed file."""
    write_whole(folder / MANIFEST, manifest_bytes(manifest, sealed=sealed))


def manifest_bytes(manifest: Mapping[str, Any], *, sealed: bool = True) -> bytes:
    entries = {key: value for key, value in manifest.items() if key not in _OF_THE_FILE}
    body = json.dumps(entries, indent=2, allow_nan=False).encode().removesuffix(b"\n}")
    said = body + b',\n  "seal": ' + json.dumps(seal_of(body) if sealed else None).encode()
    digest = hashlib.sha256(said).hexdigest().encode()
    return said + b',\n  "digest": "' + digest + b'"\n}\n'


def is_whole(content: bytes) -> bool:
    """Return True if the digest matches: every byte is as written."""
    tail = _TAIL.fullmatch(content)
    return tail is not None and hashlib.sha256(tail["said"]).hexdigest().encode() == tail["digest"]


def is_ours(content: bytes) -> bool:
    """Return True if this user wrote the manifest on this machine and it is unchanged since."""
    tail = _TAIL.fullmatch(content)
    if tail is None or not is_whole(content):
        return False
    return is_sealed(tail["body"], json.loads(tail["seal"]))
