"""ONNX: torch's own exporter on the rewritten program, simplified, run by ONNX Runtime."""
