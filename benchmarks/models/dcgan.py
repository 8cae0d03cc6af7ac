"""A generator and a discriminator of strided convolutions."""

from collections.abc import Callable
from typing import Any

from ..workloads.dcgan import NOISE, WIDTH


def build(torch: Any) -> Any:
    nn = torch.nn

    def upwards(inputs: int, outputs: int, stride: int = 2, padding: int = 1) -> list[Any]:
        return [
            nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(True),
        ]

    def downwards(inputs: int, outputs: int) -> list[Any]:
        return [
            nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2, inplace=True),
        ]

    generator = nn.Sequential(
        *upwards(NOISE, 8 * WIDTH, 1, 0),
        *upwards(8 * WIDTH, 4 * WIDTH),
        *upwards(4 * WIDTH, 2 * WIDTH),
        *upwards(2 * WIDTH, WIDTH),
        nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(3, WIDTH, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        *downwards(WIDTH, 2 * WIDTH),
        *downwards(2 * WIDTH, 4 * WIDTH),
        *downwards(4 * WIDTH, 8 * WIDTH),
        nn.Conv2d(8 * WIDTH, 1, 4, 1, 0, bias=False),
        nn.Sigmoid(),
    )
    return nn.ModuleDict({"generator": generator, "discriminator": discriminator})


def start(torch: Any, model: Any, learning_rate: float, compiled: bool) -> Callable[..., Any]:
    """The discriminator learns from real and made images, then the generator from the discriminator."""
    generator, discriminator = model["generator"], model["discriminator"]
    criterion = torch.nn.BCELoss()
    made_by, told_by = (
        torch.optim.Adam(network.parameters(), lr=learning_rate, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    )

    def train(images: Any, noise: Any) -> Any:
        discriminator.zero_grad()
        real = torch.ones(len(images))
        loss_of_real = criterion(discriminator(images).view(-1), real)
        loss_of_real.backward()
        made = generator(noise)
        loss_of_made = criterion(discriminator(made.detach()).view(-1), torch.zeros(len(images)))
        loss_of_made.backward()
        told_by.step()
        generator.zero_grad()
        loss = criterion(discriminator(made).view(-1), real)
        loss.backward()
        made_by.step()
        return loss_of_real + loss_of_made + loss

    return torch.compile(train) if compiled else train
