"""The MNIST classic."""

from typing import Any


def build(torch: Any) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class CNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 32, 3)
            self.conv2 = nn.Conv2d(32, 64, 3)
            self.hidden = nn.Linear(64 * 12 * 12, 128)
            self.output = nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.conv1(x))
            x = torch.relu(self.conv2(x))
            x = F.max_pool2d(x, 2)
            x = torch.relu(self.hidden(torch.flatten(x, 1)))
            return self.output(x)

    return CNN()
