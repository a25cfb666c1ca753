"""Attention with several heads, packed as exporters leave it: an integer graph with random weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgevit.integer.graph import IntegerGraph, Op, Value
from edgevit.integer.ops.moves import Permute, Reshape, Slice
from edgevit.integer.ops.products import Linear, MatMul
from edgevit.integer.ops.softmax import Softmax


def attention(rng: np.random.Generator, tokens: int, heads: int, depth: int) -> IntegerGraph:
    width = heads * depth
    x = Value("x", (tokens, width))
    ops: list[Op] = [linear(rng, x, 3 * width, "qkv")]
    ops.append(Reshape((ops[-1].output,), Value("apart", (tokens, 3, heads, depth))))
    ops.append(Permute((ops[-1].output,), Value("turned", (3, heads, tokens, depth)), (1, 2, 0, 3)))
    packed = ops[-1].output
    for index, name in enumerate("qkv"):
        one = Slice((packed,), Value(f"{name}.one", (1, heads, tokens, depth)), 0, index)
        ops += [one, Reshape((one.output,), Value(name, (heads, tokens, depth)))]
    q, k, v = (op.output for op in ops[-5::2])
    scores = Value("scores", (heads, tokens, tokens))
    ops.append(MatMul((q, k), scores, multiplier=2**26, bias=0, zero=0, turned=True))
    table = np.rint(65535 * np.exp(-0.02 * np.arange(256))).astype(np.uint16)
    weights = replace(scores, name="weights", zero=-128)
    ops.append(Softmax((scores,), weights, table, 2**29, 20))
    mixed = Value("mixed", (heads, tokens, depth))
    ops.append(MatMul((weights, v), mixed, multiplier=2**24, bias=0, zero=-128, turned=False))
    ops.append(Permute((mixed,), Value("back", (tokens, heads, depth)), (1, 0, 2)))
    ops.append(Reshape((ops[-1].output,), Value("flat", (tokens, width))))
    ops.append(linear(rng, ops[-1].output, width, "out"))
    return IntegerGraph("attention", (x,), (), tuple(ops), (ops[-1].output,)).verify()


def linear(rng: np.random.Generator, x: Value, columns: int, name: str) -> Linear:
    weight = rng.integers(-128, 128, (columns, x.shape[-1]), np.int8)
    bias = rng.integers(-1000, 1000, columns).astype(np.int32)
    multiplier = np.full(columns, 2**25, np.int32)
    return Linear((x,), Value(name, (*x.shape[:-1], columns)), weight, bias, multiplier)
