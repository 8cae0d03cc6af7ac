"""A U-Net with transposed convolutions, skip connections, a dice loss and bilinear upsampling."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        mid_channels = mid_channels or out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1),
            nn.GroupNorm(2, mid_channels),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding="same", padding_mode="reflect"),
            nn.InstanceNorm2d(out_channels, affine=True),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(in_channels + in_channels // 2, out_channels)
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diff_y = x2.size()[2] - x1.size()[2]
        diff_x = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diff_x // 2, diff_x - diff_x // 2, diff_y // 2, diff_y - diff_y // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes):
        super().__init__()
        self.inc = DoubleConv(n_channels, 8)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(8, 16))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(16, 32))
        self.up1 = Up(32, 16, bilinear=False)
        self.up2 = Up(16, 8, bilinear=True)
        self.outc = nn.Conv2d(8, n_classes, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        return self.outc(self.up2(self.up1(x3, x2), x1))


def dice_loss(logits, target, eps=1e-6):
    prob = torch.sigmoid(logits).flatten(1)
    target = target.flatten(1)
    inter = (prob * target).sum(dim=1)
    return 1 - ((2 * inter + eps) / (prob.sum(dim=1) + target.sum(dim=1) + eps)).mean()


rng = np.random.default_rng(3)
net = UNet(1, 1)
with torch.no_grad():
    for name, p in sorted(net.named_parameters()):
        if p.dim() == 4:
            p.copy_(torch.from_numpy(rng.normal(0, (1.5 / (p.size(1) * p.size(2) * p.size(3))) ** 0.5, p.size())))
        elif "bias" in name:
            p.fill_(0.01)
images = torch.from_numpy(rng.standard_normal((4, 1, 18, 22)).astype(np.float32))
masks = (F.avg_pool2d(images, 3, stride=1, padding=1) > 0.1).float()
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, betas=(0.9, 0.99), weight_decay=0.01)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", patience=1, factor=0.5)
for step in range(20):
    logits = net(images)
    loss = F.binary_cross_entropy_with_logits(logits, masks) + dice_loss(logits, masks)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(net.parameters(), 0.5)
    optimizer.step()
    scheduler.step(loss.item())
    print(f"loss {loss.item():.6f} lr {optimizer.param_groups[0]['lr']:.5f}")
with torch.no_grad():
    predicted = torch.sigmoid(net(images)) > 0.5
    iou = (predicted & masks.bool()).sum() / (predicted | masks.bool()).sum().clamp(min=1)
print(f"intersection over union {iou.item():.3f}")
