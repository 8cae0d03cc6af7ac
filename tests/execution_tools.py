"""A model to train, for the tests of who runs plans."""

from __future__ import annotations

from typing import Any

import numpy as np

import duograph.torch as torch
from duograph import nn


class Net:
    """A small model and an optimiser; shapes of its own, so that its plans are made in the test."""

    def __init__(self, width: int = 5) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.05)
        self.x = torch.linspace(-1, 1, 24).reshape(8, 3)
        self.y = torch.linspace(0, 1, 16).reshape(8, 2)

    @property
    def weight(self) -> Any:
        return self.net[0].weight

    def step(self) -> Any:
        self.optimizer.zero_grad()
        loss = ((self.net(self.x) - self.y) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def train(self, steps: int) -> np.ndarray:
        for _ in range(steps):
            self.step()
        return self.numbers()

    def numbers(self) -> np.ndarray:
        """All parameters, copied."""
        return np.concatenate([np.array(p.detach().numpy()).ravel() for p in self.net.parameters()])
