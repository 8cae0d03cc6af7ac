"""Every composite operation, written once in graph language: both faces are thin skins over these.

Positional arguments are tensors (None where an optional one is absent); keyword arguments are static and hashable.
Called on nodes a composite expands in place; called on tensors it is recorded as one operation.
"""
