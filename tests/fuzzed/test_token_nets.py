"""Models that reduce their own tokens, in their authors' layouts, are exported as they are to every phone format."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgevit
from tests import ROOT
from tests.tiers import in_some_formats

LIBRARIES = {
    "coreml": "coremltools", "executorch": "executorch",
    "onnx": "onnxruntime", "tflite": "litert_torch",
}  # fmt: skip
NETS = f"{ROOT}/tests/fuzzed/token_nets.py"


@pytest.mark.parametrize(
    ("net", "format"), list(in_some_formats(("fuses", "ranks", "merges"), list(LIBRARIES)))
)
def test_is_exported_as_it_is(net: str, format: str, tmp_path: Path) -> None:
    pytest.importorskip(LIBRARIES[format], reason=f"pip install 'edgevit[{format}]'")
    result = edgevit.export(
        f"{NETS}:{net}",
        target="iphone" if format == "coreml" else "android",
        format=format,
        output=tmp_path / "o",
    )
    assert result.passed
