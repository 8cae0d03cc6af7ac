"""`torch.mps`, so that device-agnostic programs choose the CPU."""


def is_available() -> bool:
    """False: there is no Metal device here."""
    return False
