"""Quantisation parameters of a float program: calibrated ranges, grids, equalised channels,
weights.
"""
