"""`torch.random`: the default generator."""

from ..ops.random import get_rng_state, initial_seed, manual_seed, set_rng_state

__all__ = ["get_rng_state", "initial_seed", "manual_seed", "set_rng_state"]
