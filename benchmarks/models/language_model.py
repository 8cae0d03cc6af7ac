"""Embedding, layers of LSTM, and a linear layer to the vocabulary; the state goes on from batch to batch."""

from collections.abc import Callable
from typing import Any

from ..workloads.language_model import BATCH, LAYERS, VOCABULARY, WIDTH


def build(torch: Any) -> Any:
    nn = torch.nn

    class LanguageModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, WIDTH)
            self.lstm = nn.LSTM(WIDTH, WIDTH, LAYERS)
            self.decoder = nn.Linear(WIDTH, VOCABULARY)

        def forward(self, words: Any, state: Any) -> Any:
            outputs, state = self.lstm(self.embedding(words), state)
            return self.decoder(outputs).view(-1, VOCABULARY), state

    return LanguageModel()


def start(torch: Any, model: Any, learning_rate: float, compiled: bool) -> Callable[..., Any]:
    """Truncated backpropagation, gradients clipped, Adam."""
    loss_function = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)

    def train(words: Any, following: Any, hidden: Any, cell: Any) -> Any:
        optimizer.zero_grad()
        logits, (hidden, cell) = model(words, (hidden, cell))
        loss = loss_function(logits, following.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        return loss, hidden.detach(), cell.detach()

    take = torch.compile(train) if compiled else train
    state = [torch.zeros(LAYERS, BATCH, WIDTH) for _ in range(2)]

    def step(words: Any, following: Any) -> Any:
        loss, *after = take(words, following, *state)
        state[:] = after
        return loss

    return step
