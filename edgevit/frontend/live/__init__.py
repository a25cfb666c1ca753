"""Models that a caller passes as Python objects: modules, functions, exported programs.

An object is never changed: all that follows works on a copy of it.
"""
