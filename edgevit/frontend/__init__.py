"""From what a person types (`timm:shvit_s1`, `model.py:build`) to a captured program."""
