"""What every stage may use: the standard library alone, and no knowledge of models or devices."""
