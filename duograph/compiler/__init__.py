"""The compiler: from a graph of nodes to plans of kernels."""
