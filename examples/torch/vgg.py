"""A VGG with batch normalisation and adaptive pooling, trained by RMSprop with a warm-up."""

import numpy as np
import torch
from torch import nn, optim

CFG = [8, "M", 16, "M", 32, 32, "M"]


class VGG(nn.Module):
    def __init__(self, features: nn.Module, num_classes: int = 10, dropout: float = 0.0) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((3, 3))
        self.classifier = nn.Sequential(
            nn.Linear(32 * 3 * 3, 64),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(64, 64),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(64, num_classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        return self.classifier(x)


def make_layers(cfg, batch_norm=True):
    layers = []
    in_channels = 3
    for v in cfg:
        if v == "M":
            layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
        else:
            conv2d = nn.Conv2d(in_channels, v, kernel_size=3, padding=1)
            layers += [conv2d, nn.BatchNorm2d(v), nn.ReLU(inplace=True)] if batch_norm else [conv2d, nn.ReLU(True)]
            in_channels = v
    return nn.Sequential(*layers)


rng = np.random.default_rng(0)
model = VGG(make_layers(CFG))
for name, parameter in model.named_parameters():
    if parameter.dim() > 1:
        scale = (2.0 / np.prod(parameter.shape[1:])) ** 0.5
        parameter.data = torch.tensor(rng.normal(0, scale, tuple(parameter.shape)), dtype=torch.float32)
    elif name.endswith("bias"):
        nn.init.constant_(parameter, 0)

x = torch.as_tensor(rng.standard_normal((16, 3, 20, 20)), dtype=torch.float)
y = torch.as_tensor(rng.integers(0, 10, size=16), dtype=torch.long)
optimizer = optim.RMSprop(model.parameters(), lr=3e-4, alpha=0.9, momentum=0.5)
scheduler = optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=lambda step: min(1.0, (step + 1) / 4))
for step in range(20):
    optimizer.zero_grad()
    logits = model(x)
    loss = nn.functional.nll_loss(nn.functional.log_softmax(logits, dim=-1), y)
    loss.backward()
    grad_norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
    optimizer.step()
    scheduler.step()
    print("loss %.6f norm %.5f" % (loss.item(), grad_norm))
model.eval()
with torch.inference_mode():
    probabilities, classes = torch.topk(torch.softmax(model(x), dim=1), k=3)
print("classes of the first image, the most probable first:", classes[0].tolist())
