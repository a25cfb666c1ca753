"""Backends, one folder each: the lowering, its list of rules and the check of the artifact."""
