"""A vision transformer from PyTorch's own encoder layers, with a class token and one-cycle learning rates."""

import numpy as np
import torch
import torch.nn as nn


class PatchEmbed(nn.Module):
    def __init__(self, img_size=16, patch_size=4, in_chans=3, embed_dim=32):
        super().__init__()
        self.num_patches = (img_size // patch_size) ** 2
        self.proj = nn.Conv2d(in_chans, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class ViT(nn.Module):
    def __init__(self, embed_dim=32, depth=2, num_heads=4, num_classes=10):
        super().__init__()
        self.patch_embed = PatchEmbed(embed_dim=embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.patch_embed.num_patches + 1, embed_dim))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        layer = nn.TransformerEncoderLayer(
            embed_dim, num_heads, dim_feedforward=64, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(embed_dim), enable_nested_tensor=False)
        self.attention_pool = nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)
        self.head = nn.Linear(embed_dim, num_classes)

    def forward(self, x):
        b = x.shape[0]
        x = self.patch_embed(x)
        x = torch.cat((self.cls_token.expand(b, -1, -1), x), dim=1) + self.pos_embed
        x = self.blocks(x)
        pooled, weights = self.attention_pool(x[:, :1], x, x, need_weights=True)
        return self.head(x[:, 0] + pooled.squeeze(1)), weights


def main():
    rng = np.random.default_rng(4)
    model = ViT()
    for p in model.parameters():
        if p.requires_grad and p.dim() > 1:
            p.data.copy_(torch.from_numpy(rng.normal(0, 0.15, p.shape).astype(np.float32)))
        elif p.dim() == 1 and p.data.abs().max() < 0.99:
            p.data.zero_()
    images = torch.from_numpy(rng.standard_normal((8, 3, 16, 16)).astype(np.float32))
    labels = torch.from_numpy(rng.integers(0, 10, (8,)))
    no_decay = {"cls_token", "pos_embed"}
    groups = [
        {"params": [p for n, p in model.named_parameters() if n not in no_decay]},
        {"params": [p for n, p in model.named_parameters() if n in no_decay], "weight_decay": 0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=21, pct_start=0.3)
    criterion = nn.CrossEntropyLoss()
    for step in range(20):
        model.train()
        logits, weights = model(images)
        loss = criterion(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        print(f"loss {loss.item():.6f} attention {weights.amax().item():.5f} lr {scheduler.get_last_lr()[0]:.6f}")


main()
