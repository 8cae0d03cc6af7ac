"""A word-level LSTM language model (Zaremba et al., "Recurrent neural network regularization", 2014): the small one."""

import numpy as np

from .workload import Goal, Workload

VOCABULARY, WIDTH, LAYERS, STEPS, BATCH = 10_000, 200, 2, 35, 20


def _batch(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Words of which the frequent ones are few, [steps, batch], and those that follow."""
    words = np.minimum(random.zipf(1.3, (STEPS + 1, BATCH)), VOCABULARY) - 1
    return words[:-1].copy(), words[1:].copy()


LANGUAGE_MODEL = Workload(
    name="lstm-lm",
    title=f"LSTM language model, {LAYERS}×{WIDTH}, {STEPS} steps, batch {BATCH}",
    model="language_model",
    batch=_batch,
    goal=Goal(eager=1.2, compiled=1.2),
)
