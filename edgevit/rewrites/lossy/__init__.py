"""Rewrites that change what the model computes: only on request by name, each with its parity
figure.
"""
