#!/bin/sh
# Which runtime is faster here, and is the result within budget? For a CI of one's own: the exit code is 19 where it is not.
# Needs pip install 'edgevit[tflite,onnx]'.
set -eu
here=$(dirname "$0")
out=${1:-out/budgets}

edgevit export "$here/tiny_hybrid.py:build" --target linux-x86 --format tflite,onnx -o "$out" --quiet
edgevit profile "$out/tflite" "$out/onnx" --rounds 5 --quiet
edgevit check "$out/tflite" --max-latency 1s --max-size 4MB --min-cosine 0.999 --junit "$out/budgets.xml"
