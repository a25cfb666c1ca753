"""ExecuTorch: a .pte whose supported parts are handed to XNNPACK."""
