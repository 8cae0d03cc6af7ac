"""A character-level GPT (Radford et al., 2019): pre-norm transformer, 4 layers of width 128, 12 sequences of 64."""

from collections.abc import Iterator

import numpy as np

from .workload import Goal, Workload, layer_norm, linear

VOCABULARY, WIDTH, LAYERS, HEADS, TOKENS, SEQUENCES = 65, 128, 4, 4, 64, 12


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "token_embedding.weight", (VOCABULARY, WIDTH)
    yield "position_embedding.weight", (TOKENS, WIDTH)
    for layer in range(LAYERS):
        block = f"blocks.{layer}"
        yield from layer_norm(f"{block}.norm1", WIDTH)
        yield from linear(f"{block}.attention", WIDTH, 3 * WIDTH)
        yield from linear(f"{block}.projection", WIDTH, WIDTH)
        yield from layer_norm(f"{block}.norm2", WIDTH)
        yield from linear(f"{block}.expand", WIDTH, 4 * WIDTH)
        yield from linear(f"{block}.contract", 4 * WIDTH, WIDTH)
    yield from layer_norm("norm", WIDTH)
    yield from linear("head", WIDTH, VOCABULARY, bias=False)


def _batch(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Text of a made-up language in which a character mostly decides the next one."""
    text = np.empty((SEQUENCES, TOKENS + 1), np.int64)
    text[:, 0] = random.integers(0, VOCABULARY, SEQUENCES)
    for position in range(TOKENS):
        surprise = random.integers(0, 3, SEQUENCES)
        text[:, position + 1] = (5 * text[:, position] + 7 + surprise) % VOCABULARY
    return text[:, :-1].copy(), text[:, 1:].copy()


GPT = Workload(
    name="gpt",
    title=f"character GPT, 4 layers, d {WIDTH}, {SEQUENCES}×{TOKENS} tokens",
    model="gpt",
    shapes=dict(_shapes()),
    batch=_batch,
    goal=Goal(eager=1.8, compiled=1.8),
)
