"""Kernel selection for an operation on a core, and the calls of it: one table of cards."""
