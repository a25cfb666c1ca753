"""Rewrites that change what the model computes: only when asked for by name, each with its parity figure."""
