"""Duograph beside its peers: `python -m benchmarks`."""
