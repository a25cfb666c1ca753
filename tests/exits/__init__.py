"""Early exits: parts, thresholds, host code."""
