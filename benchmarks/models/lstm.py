"""An LSTM that classifies what it has read."""

from typing import Any

from ..workloads.lstm import FEATURES, HIDDEN


def build(torch: Any) -> Any:
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
            self.output = nn.Linear(HIDDEN, 10)

        def forward(self, x: Any) -> Any:
            states, _ = self.lstm(x)
            return self.output(states[:, -1])

    return Classifier()
