"""One folder a backend: the lowering, its list of rules, and the check of what it wrote."""
