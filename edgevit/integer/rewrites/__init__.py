"""Rewrites of integer graphs. Every one is exact: the values computed are the same integers."""
