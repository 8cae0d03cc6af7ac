"""What the modules of backends that are not here say of themselves."""

from __future__ import annotations


def is_available() -> bool:
    """False: that backend is not here."""
    return False


def is_built() -> bool:
    """False: that backend is not here."""
    return False
