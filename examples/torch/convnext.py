"""A ConvNeXt: depthwise convolutions, layer norm over channels, layer scale and stochastic depth."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class DropPath(nn.Module):
    def __init__(self, p=0.0):
        super().__init__()
        self.p = p

    def forward(self, x):
        if self.p == 0.0 or not self.training:
            return x
        keep = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.p
        return x * keep / (1 - self.p)


class Block(nn.Module):
    def __init__(self, dim, drop_path=0.0, layer_scale=1e-1):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(layer_scale * torch.ones(dim))
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        shortcut = x
        x = self.dwconv(x).permute(0, 2, 3, 1)
        x = self.pwconv2(self.act(self.pwconv1(self.norm(x))))
        return shortcut + self.drop_path((self.gamma * x).permute(0, 3, 1, 2))


class ConvNeXt(nn.Module):
    def __init__(self, num_classes=10, depths=(1, 1, 2), dims=(16, 32, 48)):
        super().__init__()
        stages = []
        for i, (depth, dim) in enumerate(zip(depths, dims)):
            if i == 0:
                downsample = nn.Sequential(nn.Conv2d(3, dim, kernel_size=4, stride=4), LayerNorm2d(dim, eps=1e-6))
            else:
                downsample = nn.Sequential(LayerNorm2d(dims[i - 1], eps=1e-6), nn.Conv2d(dims[i - 1], dim, 2, stride=2))
            stages.append(nn.Sequential(downsample, *[Block(dim) for _ in range(depth)]))
        self.stages = nn.Sequential(*stages)
        self.norm = nn.LayerNorm(dims[-1], eps=1e-6)
        self.head = nn.Linear(dims[-1], num_classes)

    def forward(self, x):
        x = self.stages(x)
        return self.head(self.norm(x.mean([-2, -1])))


rng = np.random.default_rng(20)
model = ConvNeXt()


def init_weights(m):
    if isinstance(m, (nn.Conv2d, nn.Linear)):
        scale = 1 / np.sqrt(m.weight[0].numel())
        m.weight.data = torch.from_numpy(rng.normal(0, scale, m.weight.shape).astype(np.float32))
        nn.init.constant_(m.bias, 0)


model.apply(init_weights)
images = torch.from_numpy(rng.standard_normal((16, 3, 32, 32)).astype(np.float32))
labels = torch.from_numpy(rng.integers(0, 10, 16))
decay = [p for p in model.parameters() if p.ndim > 1]
others = [p for p in model.parameters() if p.ndim <= 1]
optimizer = torch.optim.AdamW(
    [{"params": decay, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}], lr=2e-3
)
warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15)
scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[5])
for step in range(20):
    loss = F.cross_entropy(model(images), labels, label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    print(f"step {step} loss {loss.item():.6f}")
model.eval()
with torch.no_grad():
    print("right:", (model(images).argmax(1) == labels).sum().item(), "of", len(labels))
