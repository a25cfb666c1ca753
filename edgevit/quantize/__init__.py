"""From a float program to an integer graph: what values a net takes, on which grid each is put, and the steps in integers."""
