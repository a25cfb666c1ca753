"""The graph and overlays for Model Explorer: its own JSON of graphs, and custom node data by node id."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.errors import PackageError
from edgevit.exported import explorer_files

NODES = [
    {"name": "x", "op": "input", "module": "", "inputs": []},
    {"name": "conv2d", "op": "conv2d", "module": "blocks.0.conv", "inputs": [0], "macs": 9},
    {"name": "relu", "op": "relu", "module": "blocks.0", "inputs": [1]},
    {"name": "x", "op": "output", "module": "", "inputs": [2]},
]
MANIFEST = {
    "model": {"name": "net"},
    "target": "iphone",
    "placement": {
        "ops": [
            {"where": "blocks.0.conv", "unit": "neural_engine"},
            {"where": "blocks.0", "unit": "cpu"},
        ]
    },
    "quantization": {
        "values": [{"call": "conv2d", "snr": 30.0}, {"call": "relu", "snr": 20.0}],
    },
}


def files(folder: Path) -> dict[str, dict]:
    (folder / "graph").mkdir()
    rest = {"type": "1x2 f32", "source": "", "rules": [], "macs": 0}
    (folder / "graph" / "outline.json").write_text(json.dumps({"after": [{**rest, **node} for node in NODES]}))  # fmt: skip
    return {name: json.loads(text) for name, text in explorer_files(folder, MANIFEST, None).items()}


def test_every_overlay_speaks_of_nodes_of_the_graph(tmp_path: Path) -> None:
    written = files(tmp_path)
    (graph,) = written.pop("graph.json")["graphs"]
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert list(nodes) == ["x", "conv2d", "relu", "x 2"]
    assert nodes["conv2d"]["namespace"] == "blocks/0/conv"
    assert nodes["relu"]["incomingEdges"][0]["sourceNodeId"] == "conv2d"
    assert {"key": "signal to noise", "value": "30.0 dB"} in nodes["conv2d"]["attrs"]
    assert set(written) == {"unit.json", "signal-to-noise.json", "multiply-accumulates.json"}
    for overlay in written.values():
        assert set(overlay) == {graph["id"]}
        assert set(overlay[graph["id"]]["results"]) <= set(nodes)
    unit = written["unit.json"][graph["id"]]
    assert unit["name"] == "unit (predicted): 1 Neural Engine, 2 CPU"
    assert unit["results"]["relu"]["value"] == 2
    assert len({entry["bgColor"] for entry in unit["results"].values()}) == 2
    noise = written["signal-to-noise.json"][graph["id"]]
    assert [entry["stop"] for entry in noise["gradient"]] == [0, 1]


def test_a_folder_without_a_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no graph that can be shown"):
        explorer_files(tmp_path, MANIFEST, None)
