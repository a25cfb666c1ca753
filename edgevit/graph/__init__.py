"""The graph that every stage works on, the one way to change it, and what it costs."""
