"""`edgevit.json` as bytes: written whole, its last line a digest of all bytes before it, the line above it a seal.

The digest finds damage: a flip of any byte of the file. The seal is made with a key that only this user on this
machine has: it tells a folder that was exported here from one that somebody else wrote.
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
    """`sealed` says that this user wrote, or vouches for, everything that is listed."""
    write_whole(folder / MANIFEST, manifest_bytes(manifest, sealed=sealed))


def manifest_bytes(manifest: Mapping[str, Any], *, sealed: bool = True) -> bytes:
    entries = {key: value for key, value in manifest.items() if key not in _OF_THE_FILE}
    body = json.dumps(entries, indent=2, allow_nan=False).encode().removesuffix(b"\n}")
    said = body + b',\n  "seal": ' + json.dumps(seal_of(body) if sealed else None).encode()
    digest = hashlib.sha256(said).hexdigest().encode()
    return said + b',\n  "digest": "' + digest + b'"\n}\n'


def is_whole(content: bytes) -> bool:
    """Each byte is as it was written."""
    tail = _TAIL.fullmatch(content)
    return tail is not None and hashlib.sha256(tail["said"]).hexdigest().encode() == tail["digest"]


def is_ours(content: bytes) -> bool:
    """Written by this user on this machine, and not changed since."""
    tail = _TAIL.fullmatch(content)
    if tail is None or not is_whole(content):
        return False
    return is_sealed(tail["body"], json.loads(tail["seal"]))
