"""Vision transformers and hybrids of a size for microcontrollers, and the nets of MLPerf Tiny, in
plain PyTorch.

The compiler knows nothing of them.
"""
