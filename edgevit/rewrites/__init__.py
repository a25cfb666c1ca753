"""Graph-level rewrites: each an equation, each proven on every use."""
