"""Choosing by measuring: what there is to choose, the search, and the plan that it ends in."""
