"""A variational autoencoder with one hidden layer on each side."""

from collections.abc import Callable
from typing import Any

from ..workloads.vae import HIDDEN, LATENT, PIXELS


def build(torch: Any) -> Any:
    nn = torch.nn

    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = nn.Linear(PIXELS, HIDDEN)
            self.fc21 = nn.Linear(HIDDEN, LATENT)
            self.fc22 = nn.Linear(HIDDEN, LATENT)
            self.fc3 = nn.Linear(LATENT, HIDDEN)
            self.fc4 = nn.Linear(HIDDEN, PIXELS)

        def forward(self, x: Any, noise: Any) -> Any:
            hidden = torch.relu(self.fc1(x))
            mean, log_variance = self.fc21(hidden), self.fc22(hidden)
            z = mean + noise * torch.exp(0.5 * log_variance)
            return torch.sigmoid(self.fc4(torch.relu(self.fc3(z)))), mean, log_variance

    return VAE()


def start(torch: Any, model: Any, learning_rate: float, compiled: bool) -> Callable[..., Any]:
    """Reconstruction and divergence, summed over a batch, and Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)

    def train(x: Any, noise: Any) -> Any:
        optimizer.zero_grad()
        reconstructed, mean, log_variance = model(x, noise)
        reconstruction = torch.nn.functional.binary_cross_entropy(reconstructed, x, reduction="sum")
        divergence = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
        loss = reconstruction + divergence
        loss.backward()
        optimizer.step()
        return loss

    return torch.compile(train) if compiled else train
