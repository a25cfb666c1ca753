"""A signature's tables are built once, and anew where an input of it changes."""

from __future__ import annotations

import torch
from torch import nn
from torch.export.graph_signature import InputKind

from edgevit.graph.known_signatures import signatures_known


def test_a_table_is_built_anew_where_an_input_changes() -> None:
    exported = torch.export.export(nn.Linear(2, 2), (torch.rand(1, 2),))
    signature = exported.graph_signature
    with signatures_known():
        first = signature.inputs_to_parameters
        assert signature.inputs_to_parameters is first
        spec = signature.input_specs[0]
        spec.target = "other"
        assert "other" in signature.inputs_to_parameters.values()
        spec.arg.name = "renamed"
        assert signature.inputs_to_parameters["renamed"] == "other"
        spec.kind = InputKind.BUFFER
        assert signature.inputs_to_buffers == {"renamed": "other"}
        signature.input_specs.remove(spec)
        assert not signature.inputs_to_buffers
    assert signature.inputs_to_parameters is not signature.inputs_to_parameters
