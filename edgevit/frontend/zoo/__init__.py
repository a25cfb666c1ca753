"""Vision transformers and hybrids of a size that microcontrollers take, in plain PyTorch: nothing here is known to the compiler."""
