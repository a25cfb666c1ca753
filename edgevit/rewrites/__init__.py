"""Graph-level rewrites, each given by an equation and verified on the example inputs at every
use.
"""
