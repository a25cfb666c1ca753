"""Frontend: from a model spec (`timm:shvit_s1`, `model.py:build`) to a captured program."""
