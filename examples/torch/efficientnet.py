"""An EfficientNet: inverted residuals with squeeze and excitation, scaled in width and depth."""

import math

import numpy as np
import torch
from torch import nn


def round_channels(channels, width, divisor=8):
    return max(divisor, int(channels * width + divisor / 2) // divisor * divisor)


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = nn.SiLU(inplace=True)

    def forward(self, x):
        scale = self.fc2(self.activation(self.fc1(self.avgpool(x))))
        return torch.sigmoid(scale) * x


class ConvNormAct(nn.Sequential):
    def __init__(self, inp, out, kernel, stride=1, groups=1, act=True):
        layers = [
            nn.Conv2d(inp, out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out, eps=1e-3, momentum=0.01),
        ]
        super().__init__(*layers, *([nn.SiLU(inplace=True)] if act else []))


class MBConv(nn.Module):
    def __init__(self, inp, out, expand, kernel, stride):
        super().__init__()
        hidden = inp * expand
        layers = [] if expand == 1 else [ConvNormAct(inp, hidden, 1)]
        layers += [
            ConvNormAct(hidden, hidden, kernel, stride, groups=hidden),
            SqueezeExcitation(hidden, max(1, inp // 4)),
            ConvNormAct(hidden, out, 1, act=False),
        ]
        self.block = nn.Sequential(*layers)
        self.use_residual = stride == 1 and inp == out

    def forward(self, x):
        return x + self.block(x) if self.use_residual else self.block(x)


class EfficientNet(nn.Module):
    # expand, channels, blocks, stride, kernel
    settings = [(1, 8, 1, 1, 3), (4, 16, 2, 2, 3), (4, 24, 1, 2, 5)]

    def __init__(self, width=1.0, depth=1.0, num_classes=10):
        super().__init__()
        channels = round_channels(16, width)
        features = [ConvNormAct(3, channels, 3, stride=2)]
        for expand, out, blocks, stride, kernel in self.settings:
            out = round_channels(out, width)
            for block in range(math.ceil(blocks * depth)):
                features.append(MBConv(channels, out, expand, kernel, stride if block == 0 else 1))
                channels = out
        features.append(ConvNormAct(channels, 4 * channels, 1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(p=0.0, inplace=True), nn.Linear(4 * channels, num_classes))

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.mean((2, 3)))


def main():
    rng = np.random.default_rng(21)
    model = EfficientNet(width=1.1, depth=1.2)
    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            weight = rng.normal(0, (1.5 / m.weight[0].numel()) ** 0.5, m.weight.shape)
            m.weight.data.copy_(torch.from_numpy(weight))
            if m.bias is not None:
                nn.init.zeros_(m.bias)
    print("parameters:", sum(p.numel() for p in model.parameters()))
    images = torch.from_numpy(rng.standard_normal((8, 3, 32, 32)).astype(np.float32))
    labels = torch.from_numpy(rng.integers(0, 10, 8))
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-4, alpha=0.9, momentum=0.9, eps=1e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.9)
    for step in range(20):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        print(f"step {step} loss {loss.item():.6f} lr {scheduler.get_last_lr()[0]:.6f}")


if __name__ == "__main__":
    main()
