"""Weight files, configs, preprocessing and labels from strangers."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import save as safetensors

from tests.hostile.case import Case, Room

ZOO = "zoo:vit-i32-p8-d24-h2-l1"
NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 2)
        self.register_buffer("table", torch.zeros(4, dtype=torch.int64))

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)) + self.table)

def build():
    net = Net().eval()
    CHANGE
    return net, (torch.randn(1, 3, 8, 8),)
"""


def net(room: Room, change: str = "pass") -> list[str]:
    room.write("net.py", NET.replace("CHANGE", change))
    return ["inspect", "net.py:build"]


def good() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "head.weight": (2, 4), "head.bias": (2,)}  # fmt: skip
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return weights | {"table": torch.arange(4)}


def saved(value: object) -> bytes:
    data = io.BytesIO()
    torch.save(value, data)
    return data.getvalue()


def changed(name: str, change: Callable[[torch.Tensor], Any]) -> bytes:
    weights: dict[str, Any] = good()
    weights[name] = change(weights[name])
    return saved(weights)


def quantized(x: torch.Tensor) -> torch.Tensor:
    return torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)


def first(value: float, dtype: torch.dtype | None = None) -> Callable[[torch.Tensor], torch.Tensor]:
    def change(x: torch.Tensor) -> torch.Tensor:
        x = x.to(dtype) if dtype else x.clone()
        x.view(-1)[0] = value
        return x

    return change


# name -> which tensor, what becomes of it, what is said
TENSORS: dict[str, tuple[str, Callable[[torch.Tensor], Any], str]] = {
    "complex64": ("conv.weight", lambda x: torch.complex(x, x), "imaginary part"),
    "complex128": ("conv.weight", lambda x: torch.complex(x, x).to(torch.complex128), "imaginary part"),
    "complex without imaginary part": ("head.bias", lambda x: x.to(torch.complex64), "imaginary part"),
    "float64 beyond float32": ("head.weight", first(1e300, torch.float64), "beyond its range"),
    "int64 that float32 rounds": ("head.weight", first((1 << 24) + 1, torch.int64), "not the same"),
    "fractions for whole numbers": ("table", first(0.5, torch.float32), "not the same"),
    "NaN for whole numbers": ("table", first(math.nan, torch.float32), "not the same"),
    "sparse": ("conv.weight", lambda x: x.to_sparse(), "sparse"),
    "sparse by rows": ("head.weight", lambda x: x.to_sparse_csr(), "sparse"),
    "meta": ("conv.weight", lambda x: x.to("meta"), "conv.weight"),
    "quantised": ("conv.weight", quantized, "quantised"),
    "quantised by channel": ("head.weight", lambda x: torch.quantize_per_channel(x, torch.ones(2), torch.zeros(2), 0, torch.qint8), "quantised"),
    "nested": ("head.bias", lambda x: torch.nested.nested_tensor([x, x[:1]]), ""),
    "NaN": ("head.bias", first(math.nan), "NaN"),
    "infinite": ("conv.weight", first(math.inf), "Inf"),
    "one number expanded": ("conv.weight", lambda x: torch.zeros(1).expand(10**12), ""),
    "no axes": ("conv.weight", lambda x: torch.tensor(1.0), "has 4x3x3x3"),
    "no elements": ("conv.weight", lambda x: x[:0], "has 4x3x3x3"),
    "text": ("head.bias", lambda x: "hello", "missing"),
    "a list": ("head.bias", lambda x: x.tolist(), "missing"),
}  # fmt: skip
PLAIN: dict[str, tuple[str, Callable[[torch.Tensor], Any]]] = {
    "bfloat16": ("conv.weight", lambda x: x.bfloat16()),
    "float16": ("conv.weight", lambda x: x.half()),
    "float64": ("conv.weight", lambda x: x.double()),
    "float8": ("head.weight", lambda x: x.to(torch.float8_e4m3fn)),
    "int8 that fits": ("head.weight", lambda x: (x * 10).to(torch.int8)),
    "whole numbers as floats": ("table", lambda x: x.float()),
    "turned axes": ("conv.weight", lambda x: x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)),
}  # fmt: skip


class Touch:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def archive(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", how) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return data.getvalue()


def bomb() -> bytes:
    """128 MB of zeros as the tensor of a checkpoint, compressed."""
    data = saved({"a": torch.zeros(4)})
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    place = next(name for name in members if name.endswith("/data/0"))
    return archive(members | {place: bytes(128 << 20)}, zipfile.ZIP_DEFLATED)


def lying() -> bytes:
    """A storage that is said to be longer than its bytes."""
    data = saved({"a": torch.zeros(10)})
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    pickled = next(name for name in members if name.endswith("data.pkl"))
    longer = members[pickled].replace(b"K\n", b"J\x80\x96\x98\x00")
    return archive(members | {pickled: longer})


def same_names() -> bytes:
    data = io.BytesIO(saved(good()))
    with zipfile.ZipFile(data, "a") as file:
        file.writestr(file.namelist()[0], b"again")
    return data.getvalue()


def header(entries: object, data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode() if not isinstance(entries, bytes) else entries
    return len(text).to_bytes(8, "little") + text + data


def deep_pickle() -> bytes:
    return b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."


F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
# name of the file, its content, what is said
FILES: dict[str, tuple[str, Callable[[Room], bytes], str]] = {
    "empty": ("w.pth", lambda _: b"", "neither a zip file nor a pickle"),
    "a web page": ("w.pth", lambda _: b"<!DOCTYPE html>", "neither a zip file nor a pickle"),
    "a pickle that runs code": ("w.pth", lambda room: pickle.dumps(Touch(str(room.canary)), 2), "not executed"),
    "a pickle in a zip that runs code": ("w.pth", lambda room: saved({"a": Touch(str(room.canary))}), "not executed"),
    "a deep pickle": ("w.pth", lambda _: deep_pickle(), "w.pth"),
    "a pickle cut short": ("w.bin", lambda _: pickle.dumps({"a": 1}, 2)[:-3], "w.bin"),
    "a zip cut short": ("w.pth", lambda _: saved(good())[:-100], "cannot be read"),
    "a zip bomb": ("w.pth", lambda _: bomb(), "unfold to"),
    "a storage longer than its bytes": ("w.pth", lambda _: lying(), "cannot be read"),
    "a zip with a name twice": ("w.pth", lambda _: same_names(), "same name"),
    "a zip of nothing": ("w.pth", lambda _: archive({}), "neither a zip"),
    "a zip of text": ("w.ckpt", lambda _: archive({"a/b": b"x"}), "cannot be read"),
    "a number": ("w.pth", lambda _: saved(3), "no state dict"),
    "nothing": ("w.pth", lambda _: saved(None), "no state dict"),
    "a list": ("w.pth", lambda _: saved([torch.zeros(2)]), "no state dict"),
    "an empty dict": ("w.pth", lambda _: saved({}), "no state dict"),
    "a dict of dicts of dicts": ("w.pth", lambda _: saved({"model": {"model": {"model": {"model": {}}}}}), "no state dict"),
    "names that are numbers": ("w.pth", lambda _: saved({1: torch.zeros(2)}), "does not fit"),
    "ten thousand unknown names": ("w.pth", lambda _: saved({f"k{i}": torch.zeros(1) for i in range(10_000)}), "unexpected"),
    "safetensors: empty": ("w.safetensors", lambda _: b"", "cannot be read"),
    "safetensors: a header of 2^60": ("w.safetensors", lambda _: (1 << 60).to_bytes(8, "little"), "cannot be read"),
    "safetensors: no JSON": ("w.safetensors", lambda _: header(b"{nope"), "cannot be read"),
    "safetensors: deep JSON": ("w.safetensors", lambda _: header(b'{"a":' + b"[" * 50_000), "cannot be read"),
    "safetensors: a list": ("w.safetensors", lambda _: header([1, 2]), "cannot be read"),
    "safetensors: offsets beyond": ("w.safetensors", lambda _: header({"a": F32 | {"data_offsets": [0, 1 << 40]}}, bytes(8)), "cannot be read"),
    "safetensors: offsets turned": ("w.safetensors", lambda _: header({"a": F32 | {"data_offsets": [8, 0]}}, bytes(8)), "cannot be read"),
    "safetensors: negative shape": ("w.safetensors", lambda _: header({"a": F32 | {"shape": [-2]}}, bytes(8)), "cannot be read"),
    "safetensors: shape overflows": ("w.safetensors", lambda _: header({"a": F32 | {"shape": [1 << 62, 8]}}, bytes(8)), "cannot be read"),
    "safetensors: unknown type": ("w.safetensors", lambda _: header({"a": F32 | {"dtype": "Q7"}}, bytes(8)), "cannot be read"),
    "safetensors: hole": ("w.safetensors", lambda _: header({"a": F32}, bytes(800)), "cannot be read"),
    "safetensors: complex": ("w.safetensors", lambda _: safetensors({n: t.to(torch.complex64) if n == "head.bias" else t for n, t in good().items()}), "imaginary"),
    "safetensors: no tensors": ("w.safetensors", lambda _: header({}), "no state dict"),
}  # fmt: skip


def tensor_case(name: str, change: Callable[[torch.Tensor], Any]) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        room.write("w.pth", changed(name, change))
        return [*net(room), "--weights", "w.pth"]

    return make


def file_case(name: str, content: Callable[[Room], bytes]) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        room.write(name, content(room))
        return [*net(room), "--weights", name]

    return make


def special(make_one: Callable[[Room], object]) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        make_one(room)
        return [*net(room), "--weights", "w.pth"]

    return make


# What the callable does to its model, and what is said.
MODELS = {
    "a sparse weight": ("net.head.weight = nn.Parameter(net.head.weight.data.to_sparse())", "sparse"),
    "a meta weight": ("net.conv.to('meta')", "no data"),
    "a meta buffer": ("net.table = net.table.to('meta')", "no data"),
    "a quantised layer": ("net.head = torch.ao.nn.quantized.dynamic.Linear(4, 2)", "quantised"),
    "a quantised weight": ("net.table = torch.quantize_per_tensor(torch.zeros(4), 0.1, 0, torch.qint8)", "quantised"),
    "a weight of NaN": ("net.head.bias.data[0] = float('nan')", "NaN"),
    "a weight beyond float32": ("net.double(); net.head.bias.data[0] = 1e300", "Inf"),
    "std 0": ("net.preprocess = dict(mean=(0.5,) * 3, std=(0.5, 0.0, 0.5))", "std is"),
    "std NaN": ("net.preprocess = dict(mean=(0.5,) * 3, std=(float('nan'),) * 3)", "std is"),
    "std negative": ("net.preprocess = dict(mean=(0.5,) * 3, std=(-1.0,) * 3)", "std is"),
    "std 10^-30": ("net.preprocess = dict(mean=(0.5,) * 3, std=(1e-30,) * 3)", "std is"),
    "mean of four": ("net.preprocess = dict(mean=(0.5,) * 4, std=(0.5,) * 3)", "4 values for 3 channels"),
    "mean of none": ("net.preprocess = dict(mean=(), std=(0.5,) * 3)", "0 values for 3 channels"),
    "mean infinite": ("net.preprocess = dict(mean=(float('inf'),) * 3, std=(0.5,) * 3)", "mean is"),
    "mean that is text": ("net.preprocess = dict(mean='0.5', std=(0.5,) * 3)", "is text"),
    "mean of texts": ("net.preprocess = dict(mean=('a', 'b', 'c'), std=(0.5,) * 3)", "preprocessing"),
    "mean that is None": ("net.preprocess = dict(mean=None, std=(0.5,) * 3)", "preprocessing"),
    "crop_pct 0": ("net.preprocess = dict(mean=(0.5,) * 3, std=(0.5,) * 3, crop_pct=0)", "crop_pct"),
    "crop_pct a list": ("net.preprocess = dict(mean=(0.5,) * 3, std=(0.5,) * 3, crop_pct=[1])", "preprocessing"),
}  # fmt: skip
VIT: dict[str, Any] = {"model_type": "vit", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 32, "patch_size": 8}  # fmt: skip
CONFIGS: dict[str, tuple[dict[str, Any] | str, str]] = {
    f"{key} is {value!r:.24}": (VIT | {key: value}, key)
    for key, values in {
        "image_size": ("big", -5, 0, 1.5, 10**9, [32], [32, "x"], {"height": 3}, True),
        "num_channels": ("three", 0, -1, 2.5, 10**9, [3]),
        "model_type": (7, None, "../x", ["vit"]),
        "architectures": ("pipeline", [1], [None], {"a": 1}, ["os.system"]),
        "id2label": (["a", "b"], "a", {"0": ["x"]}, {"0": "a\x1b[31m"}),
        "attn_implementation": ("someone/kernels", 3),
        "_attn_implementation": ("someone/kernels",),
        "quantization_config": ({"quant_method": "bitsandbytes"}, "gptq"),
        "vision_config": ("x", {"image_size": -1}),
        "hidden_size": ("wide",),
    }.items()
    for value in values
}
CONFIGS |= {
    "no width": (VIT | {"hidden_size": 0}, "cannot build"),
    "no heads": (VIT | {"num_attention_heads": -1}, ""),
    "code for an activation": (
        VIT | {"hidden_act": "__import__('os').system('true')"},
        "cannot build",
    ),
    "a function for a class": (VIT | {"architectures": ["pipeline"]}, ""),
    "labels without numbers": (VIT | {"id2label": {"cat": "cat"}}, ""),
    "another model's class": (VIT | {"architectures": ["BertModel"]}, ""),
    "deep JSON": ('{"model_type":' + "[" * 5000 + "]" * 5000 + "}", "nested"),
    "no JSON": ("{", "config.json"),
    "a list": ("[]", "config.json"),
    "a number": ("3", "config.json"),
    "no bytes": ("", "config.json"),
    "no model type": ("{}", "config.json"),
    "NaN": ('{"model_type": "vit", "hidden_size": NaN}', "NaN"),
    "a key twice": ('{"model_type": "vit", "model_type": "bert"}', "twice"),
    "code of its own": (VIT | {"auto_map": {"AutoConfig": "x.Config"}, "model_type": "mine"}, ""),
}
LEGAL = ("a function for a class",)  # ignored: the class for the model type is taken
PROCESSORS: dict[str, tuple[str, str]] = {
    f"{key} is {value!r:.24}": (json.dumps({key: value}), key)
    for key, values in {
        "image_std": (0, [0.5, 0, 0.5], "x", [], -1, 1e-30, ["a"], {"r": 1}),
        "image_mean": ("x", [], ["a", "b", "c"], 1e30, {"r": 1}),
        "size": (0, -1, "big", {"height": "x"}, {"shortest_edge": -4}, 10**9, [1, 2, 3]),
        "crop_size": (0, "x", {"height": 0, "width": 3}),
        "crop_pct": (0, -1, "x", 1e9),
        "resample": ("bicubic", -1, 99, [1]),
        "rescale_factor": (0, -1, "x", 1e-300),
        "do_normalize": ("yes", 3),
    }.items()
    for value in values
}
PROCESSORS |= {
    "mean of two": (json.dumps({"image_mean": [0.5, 0.5], "do_normalize": True}), "2 values for 3"),
    "no JSON": ("{", "preprocessor_config.json"),
    "a list": ("[]", "preprocessor_config.json"),
    "NaN": ('{"image_std": NaN}', "NaN"),
    "deep JSON": ("[" * 5000, "nested"),
}


def config_case(config: dict[str, Any] | str, processor: str | None = None) -> Callable[[Room], list[str]]:  # fmt: skip
    def make(room: Room) -> list[str]:
        text = config if isinstance(config, str) else json.dumps(config)
        room.write("model/config.json", text)
        if processor is not None:
            room.write("model/preprocessor_config.json", processor)
        return ["inspect", "hf:./model"]

    return make


def pipe_for_processor(room: Room) -> list[str]:
    words = config_case(VIT)(room)
    os.mkfifo(room.path / "model" / "preprocessor_config.json")
    return words


LABELS = {
    "binary": (bytes(range(256)), "UTF-8"),
    "control characters": ("cat\ndog\x1b[31m\n", "control character"),
    "NUL": ("cat\0\n", "control character"),
    "huge": (b"a\n" * (3 << 20), "more than"),
    "too many": ("cat\n" * 99, "99 labels"),
}


def labels_case(content: bytes | str) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        room.write("labels.txt", content)
        return ["inspect", ZOO, "--labels", "labels.txt"]

    return make


def pipe_for_labels(room: Room) -> list[str]:
    os.mkfifo(room.path / "labels.txt")
    return ["inspect", ZOO, "--labels", "labels.txt"]


CASES = (
    *(Case(f"weights: {n}", tensor_case(t, c), s, 4) for n, (t, c, s) in TENSORS.items()),
    *(Case(f"good weights: {n}", tensor_case(t, c), passes=True) for n, (t, c) in PLAIN.items()),
    *(Case(f"weights file: {n}", file_case(f, c), s, 4) for n, (f, c, s) in FILES.items()),
    Case("weights file: a pipe", special(lambda r: os.mkfifo(r.path / "w.pth")), "a pipe", 4),
    Case("weights file: a folder", special(lambda r: (r.path / "w.pth").mkdir()), "a folder", 4),
    Case("weights file: /dev/zero", special(lambda r: (r.path / "w.pth").symlink_to("/dev/zero")), "a device", 4),
    *(Case(f"model: {n}", lambda room, c=c: net(room, c), s, (3, 4)) for n, (c, s) in MODELS.items()),
    *(Case(f"hf config: {n}", config_case(c), s, passes=n in LEGAL) for n, (c, s) in CONFIGS.items()),
    *(Case(f"hf processor: {n}", config_case(VIT, c), s, 3) for n, (c, s) in PROCESSORS.items()),
    Case("hf processor: a pipe", pipe_for_processor, "no regular file", 3),
    *(Case(f"labels: {n}", labels_case(c), s, 2) for n, (c, s) in LABELS.items()),
    Case("labels: a pipe", pipe_for_labels, "no regular file", 2),
    Case("input of 10^12 pixels", lambda room: ["inspect", "timm:resnet18", "--input-size", "1000000"], "size", 2),
    Case("batch of 10^9", lambda room: ["inspect", ZOO, "--batch", "1000000000"], "batch", 2),
)  # fmt: skip
