"""MIL operations: one function each, one file per family, and one table of them all."""
