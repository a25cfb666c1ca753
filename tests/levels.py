"""Packages of edgevit in the order of their imports, and the spine that a model goes along.

`tests/test_architecture.py` holds the code to it; `benchmarks/picture.py` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping

# From the first to the last, a few words each. A package imports itself and those before it, so that there is no cycle.
# A row of the picture each; within a row the order counts too.
LEVELS: tuple[Mapping[str, str], ...] = (
    {
        "__init__": "the version; the public names are looked up lazily",
        "errors": "what a user can meet",
        "plugins": "names by entry points",
        "graph": "Program, Edit, parity, cost",
    },
    {"support": "host, processes, files, choices, BackendInfo"},
    {"targets": "devices, from TOML", "rewrites": "rules and their engine"},
    {"frontend": "model specs, weights, capture"},
    {"quantize": "calibration, encodings", "integer": "integer operations, in numpy"},
    {
        "backends": "one folder a format: coreml, coreai, executorch, tflite, onnx, qnn, browser, ethos-u, tvm, mcu"
    },
    {"exported": "the folder on disk", "snippets": "calling code"},
    {
        "evaluate": "accuracy on labels",
        "export": "the pipeline",
        "measure": "runners, timing, store",
        "forecast": "latency, predicted",
    },
    {
        "bisect": "where it departs",
        "exits": "parts that stop early",
        "split": "parts on several devices",
        "budgets": "limits for CI",
        "matrix": "all formats",
        "tune": "search by measuring",
        "sweep": "many workers",
        "search": "nets by training",
    },
    {"cli": "words in, text or JSON out"},
    {"__main__": "the command"},
)
PACKAGES = tuple(package for level in LEVELS for package in level)
# stage, its package, what it hands on
SPINE = (
    ("resolve", "frontend", "ModelSource"),
    ("capture", "frontend", "Program"),
    ("rewrite", "rewrites", "Program"),
    ("quantize", "quantize", "encodings"),
    ("lower", "backends", "Artifact"),
    ("verify", "backends", "Parity"),
    ("finish", "export", "folder"),
)
