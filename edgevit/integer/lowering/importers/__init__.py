"""Importers from one ATen call to integer operations: a file a family, and one table of all of
them.
"""
