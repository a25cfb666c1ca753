"""How long a graph may take on a device that nobody has at hand, from figures that others published: predictions."""
