"""MobileNetV2 (Sandler et al., "Inverted residuals and linear bottlenecks", 2018)."""

from typing import Any

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks and stride of each stage."""


def build(torch: Any) -> Any:
    nn = torch.nn

    def convolution(inputs: int, outputs: int, window: int, stride: int = 1, groups: int = 1) -> list[Any]:
        return [
            nn.Conv2d(inputs, outputs, window, stride, window // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(inplace=True),
        ]

    class InvertedResidual(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
            super().__init__()
            width = inputs * expansion
            self.residual = stride == 1 and inputs == outputs
            self.conv = nn.Sequential(
                *(convolution(inputs, width, 1) if expansion != 1 else []),
                *convolution(width, width, 3, stride, groups=width),
                nn.Conv2d(width, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

        def forward(self, x: Any) -> Any:
            return x + self.conv(x) if self.residual else self.conv(x)

    class MobileNetV2(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers, inputs = convolution(3, 32, 3, 2), 32
            for expansion, outputs, count, stride in STAGES:
                for position in range(count):
                    layers.append(InvertedResidual(inputs, outputs, stride if position == 0 else 1, expansion))
                    inputs = outputs
            self.features = nn.Sequential(*layers, *convolution(inputs, 1280, 1))
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

        def forward(self, x: Any) -> Any:
            x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
            return self.classifier(torch.flatten(x, 1))

    return MobileNetV2()
