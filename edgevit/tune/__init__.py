"""Tuning by measurement: the search space, the search, and the plan of the result."""
