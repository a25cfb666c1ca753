"""Dynamic products of matrices, where the model has products of images with channels last.

linear(rows(x)) of N x H x W x C  ->  reshape(linear(rows(reshape(x, NHW x C))))

XNNPACK's passes take four axes for an image, and change its layout between the call that quantises
the rows and the product.
"""

from __future__ import annotations

import math

from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program, shape

_IMAGE = 4


def with_flat_rows(program: Program) -> Program:
    draft = Draft(program)
    for node in list(draft.graph.nodes):
        if kind(node) == "linear" and _reads_image_rows(node):
            _flatten(node, draft)
    return draft.program()


def _reads_image_rows(product: Node) -> bool:
    read = operand(product)
    return kind(read) == "dequantize_per_token" and len(shape(read)) >= _IMAGE


def _flatten(product: Node, draft: Draft) -> None:
    edit = Edit(draft, "quantize", product)
    dequantized = operand(product)
    quantized = dequantized.all_input_nodes[0]
    source, scale, zero = quantized.all_input_nodes
    (chosen,) = scale.all_input_nodes
    rows = math.prod(shape(source)[:-1])
    flat: dict[Node, Node] = {source: edit.reshaped(source, (rows, shape(source)[-1]))}
    for node in (chosen, scale, zero, quantized, dequantized):
        flat[node] = edit.copied(node, lambda read: flat.get(read, read))
    result = edit.copied(product, lambda read: flat.get(read, read))
    edit.replace(product, edit.reshaped(result, shape(product)))
