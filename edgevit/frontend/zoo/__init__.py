"""Vision transformers and hybrids of a size for microcontrollers, in plain PyTorch.

The compiler knows nothing of them.
"""
