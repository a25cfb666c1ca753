"""Nets that torch runs and that once ended in a traceback, in exit code 70, or in a refusal that misled.

Each is now exact on inputs of other statistics than its example's, or refused with the name and the line of what
stands in the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_leaves

import edgevit
from edgevit.backends.artifact import Artifact
from edgevit.errors import EdgevitError, InternalError
from edgevit.export.result import ExportResult
from edgevit.frontend.resolve import resolve
from edgevit.frontend.source import ModelSource
from edgevit.graph.parity import distance
from tests.fuzzed.fresh import FORMATS, LIBRARIES, fresh, ran
from tests.tiers import in_some_formats

NETS = Path(__file__).parent / "refusal_nets.py"
EVERY = ",".join(FORMATS)
# formats -> the nets that are exact in them
EXACT = {
    EVERY: "named_alike vmap_inner",
    "coreml,executorch": "channels_last_input",
    "coreml,onnx": "item_arithmetic func_grad cond_of_layers half_inside exported_module scalar_input",
    "coreml": "permuted_input named_class named_graph vmap func_jvp cond lazy_module double_inside"
    " bfloat16_inside double_model plain_norm_sum plain_norm_twice affine_grid affine_grid_corners bucketize bucketize_right"
    " complex_rotary",
    "executorch": "expanded_input channels_last_weights",
    "tflite": "logical_xor logical_xor_floats complex_rotary named_dash scatter_add_places scatter_reduce_amax",
}
# net -> the formats that refuse it, the error, and what it must say
REFUSED = {
    "item_filled": ("onnx", "CaptureError", ("full", "fill_value", "refusal_nets.py:", ".item()")),
    "complex_output": (
        "onnx,coreml,tflite,executorch",
        "UnsupportedOpError",
        ("output", "complex64", "view_as_complex", "view_as_real", "refusal_nets.py:"),
    ),
    "bfloat16_output": (
        "onnx,coreml,tflite,executorch",
        "UnsupportedOpError",
        ("output", "bf16", "to.dtype", ".float()", "refusal_nets.py:"),
    ),
    "linalg_solve": ("coreml,onnx", "UnsupportedOpError", ("linalg_solve", "refusal_nets.py:")),
    "diagonal_fill": ("coreml", "UnsupportedOpError", ("`diagonal_scatter`", "refusal_nets.py:")),
    "scatter_larger_source": ("onnx", "UnsupportedOpError", ("`scatter.src`", "refusal_nets.py:")),
    "pool_places": (
        "coreml",
        "UnsupportedOpError",
        ("`max_pool2d_with_indices`", "refusal_nets.py:"),
    ),
    "native_layer_norm": (
        "coreml",
        "UnsupportedOpError",
        ("`native_layer_norm`", "refusal_nets.py:"),
    ),
    "scanned": ("onnx", "CaptureError", ("scan", "refusal_nets.py:")),
    "flex_attention": ("onnx", "CaptureError", ("flex_attention", "refusal_nets.py:")),
    "sparse_mm": ("onnx", "ModelError", ("sparse", "graph", "to_dense")),
    "quantize_dynamic": ("onnx", "ModelError", ("quantised already", "2 (Linear)")),
}
# net -> words, one of which a refusal names; where a format takes the net, it is exact
EITHER = {
    "linalg_cholesky": ("linalg_cholesky",),
    "avg_pool1d_ceil": ("avg_pool1d",),
    "fft_of_ten": ("fft",),
    "sum_of_seven_axes": ("sum", "axes"),
    "complex_spectrum": ("fft", "complex"),
    "bfloat16_middle": ("to.dtype", "bf16"),
    "half_model": ("half", "f16"),
    "bfloat16_model": ("bf16",),
    "grid_sample_bicubic": ("grid_sampler",),
    "named_import": (),
    "named_lambda": (),
    "named_blank": (),
}


def exact_cases() -> Iterator[Any]:
    for formats, nets in EXACT.items():
        yield from in_some_formats(nets.split(), formats.split(","))


def refused_cases() -> Iterator[Any]:
    for net, (formats, error, says) in REFUSED.items():
        for format in formats.split(","):
            yield pytest.param(net, format, error, says, id=f"{net}-{format}")


def exported(net: str, format: str, folder: Path) -> ExportResult:
    pytest.importorskip(LIBRARIES[format], reason=f"pip install 'edgevit[{format}]'")
    return edgevit.export(
        f"{NETS}:{net}",
        target="iphone" if format == "coreml" else "linux-x86",
        format=format,
        precision="fp32",
        output=folder / "out",
    )


@pytest.mark.parametrize(("net", "format"), list(exact_cases()))
def test_is_exact_on_fresh_inputs(net: str, format: str, tmp_path: Path) -> None:
    assert_exact(net, format, exported(net, format, tmp_path))


@pytest.mark.parametrize(("net", "format"), list(in_some_formats(EITHER, FORMATS)))
def test_is_exact_or_refused_by_name(net: str, format: str, tmp_path: Path) -> None:
    try:
        result = exported(net, format, tmp_path)
    except EdgevitError as refusal:
        assert_refused(refusal, EITHER[net])
    else:
        assert_exact(net, format, result)


def assert_refused(told: EdgevitError, words: tuple[str, ...]) -> None:
    assert type(told).__name__ in {"CaptureError", "ModelError", "UnsupportedOpError"}, str(told)
    assert any(word in str(told) for word in words), str(told)
    assert told.where, str(told)
    assert told.why, str(told)
    assert told.hint, str(told)


def assert_exact(net: str, format: str, result: ExportResult) -> None:
    assert result.passed, result.parity
    source = resolve(f"{NETS}:{net}")
    artifact = Artifact(format, "fp32", result.artifact, {})
    for name, inputs in fresh(source.inputs).items():
        expected = eager(source, inputs)
        if format == "coreml":  # which takes an array for a scalar
            inputs = tuple(x.reshape(1) if x.ndim == 0 else x for x in inputs)
        found = [a.to(e.dtype) for a, e in zip(ran(artifact, inputs), expected, strict=True)]
        apart = distance(expected, found)
        assert apart.rel_l2 < 1e-4, f"{name}: {apart}"


@pytest.mark.parametrize(("net", "format", "error", "says"), list(refused_cases()))
def test_is_refused_by_name(
    net: str, format: str, error: str, says: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(EdgevitError) as refusal:
        exported(net, format, tmp_path)
    told = refusal.value
    assert type(told).__name__ == error
    assert not isinstance(told, InternalError)
    assert told.where and told.why and told.hint, str(told)
    assert "damaged" not in str(told) and "export it again" not in str(told)
    for words in says:
        assert words in str(told)


def eager(source: ModelSource, inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    with torch.no_grad():
        leaves = tree_leaves(source.module(*inputs))
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
