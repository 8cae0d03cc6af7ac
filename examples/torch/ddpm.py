"""Denoising diffusion (Ho et al. 2020): a small U-Net, an average of its weights, sampling by the reverse chain."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        half_dim = self.dim // 2
        emb = torch.exp(torch.arange(half_dim, device=t.device) * -(math.log(10000) / (half_dim - 1)))
        emb = t[:, None] * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class ResnetBlock(nn.Module):
    def __init__(self, dim, dim_out, time_dim, groups=4):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, dim_out * 2))
        self.conv1 = nn.Conv2d(dim, dim_out, 3, padding=1)
        self.conv2 = nn.Conv2d(dim_out, dim_out, 3, padding=1)
        self.norm1, self.norm2 = nn.GroupNorm(groups, dim_out), nn.GroupNorm(groups, dim_out)
        self.res_conv = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()

    def forward(self, x, t):
        scale, shift = self.mlp(t)[(...,) + (None,) * 2].chunk(2, dim=1)
        h = F.silu(self.norm1(self.conv1(x)) * (scale + 1) + shift)
        return F.silu(self.norm2(self.conv2(h))) + self.res_conv(x)


class LinearAttention(nn.Module):
    def __init__(self, dim, heads=2, dim_head=8):
        super().__init__()
        self.scale, self.heads = dim_head**-0.5, heads
        self.to_qkv = nn.Conv2d(dim, heads * dim_head * 3, 1, bias=False)
        self.to_out = nn.Conv2d(heads * dim_head, dim, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = map(lambda t: t.reshape(b, self.heads, -1, h * w), self.to_qkv(x).chunk(3, dim=1))
        context = torch.einsum("b h d n, b h e n -> b h d e", k.softmax(dim=-1), v)
        out = torch.einsum("b h d e, b h d n -> b h e n", context, q.softmax(dim=-2) * self.scale)
        return x + self.to_out(out.reshape(b, -1, h, w))


class Unet(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        time_dim = dim * 4
        self.time_mlp = nn.Sequential(
            SinusoidalPosEmb(dim), nn.Linear(dim, time_dim), nn.GELU(), nn.Linear(time_dim, time_dim)
        )
        self.init_conv = nn.Conv2d(1, dim, 3, padding=1)
        self.down = nn.ModuleList([ResnetBlock(dim, dim, time_dim), LinearAttention(dim)])
        self.shrink, self.grow = nn.Conv2d(dim, dim * 2, 4, 2, 1), nn.ConvTranspose2d(dim * 2, dim, 4, 2, 1)
        self.middle = ResnetBlock(dim * 2, dim * 2, time_dim)
        self.up = ResnetBlock(dim * 2, dim, time_dim)
        self.final = nn.Conv2d(dim, 1, 1)

    def forward(self, x, time):
        t = self.time_mlp(time)
        block, attention = self.down
        skip = attention(block(self.init_conv(x), t))
        x = self.grow(self.middle(self.shrink(skip), t))
        return self.final(self.up(torch.cat((x, skip), dim=1), t))


def extract(a, t, x_shape):
    return a.gather(-1, t).reshape(t.shape[0], *((1,) * (len(x_shape) - 1)))


class GaussianDiffusion(nn.Module):
    def __init__(self, denoise_fn, timesteps):
        super().__init__()
        self.denoise_fn, self.num_timesteps = denoise_fn, timesteps
        steps = torch.linspace(0, 1, timesteps + 1, dtype=torch.float64)
        cumulative = torch.cos((steps + 0.008) / 1.008 * math.pi * 0.5) ** 2
        betas = torch.clip(1 - cumulative[1:] / cumulative[:-1], 0, 0.999)
        alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
        previous = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
        for name, value in {
            "sqrt_alphas_cumprod": torch.sqrt(alphas_cumprod),
            "sqrt_one_minus_alphas_cumprod": torch.sqrt(1.0 - alphas_cumprod),
            "posterior_std": torch.sqrt((betas * (1.0 - previous) / (1.0 - alphas_cumprod)).clamp(min=1e-20)),
            "posterior_mean_coef1": betas * torch.sqrt(previous) / (1.0 - alphas_cumprod),
            "posterior_mean_coef2": (1.0 - previous) * torch.sqrt(1.0 - betas) / (1.0 - alphas_cumprod),
        }.items():
            self.register_buffer(name, value.to(torch.float32))

    def forward(self, x, t, noise):
        noisy = extract(self.sqrt_alphas_cumprod, t, x.shape) * x
        noisy += extract(self.sqrt_one_minus_alphas_cumprod, t, x.shape) * noise
        return F.mse_loss(self.denoise_fn(noisy, t), noise)

    @torch.no_grad()
    def sample(self, img, draw):
        for i in reversed(range(self.num_timesteps)):
            t = torch.full((img.shape[0],), i, dtype=torch.long)
            noise = extract(self.sqrt_one_minus_alphas_cumprod, t, img.shape) * self.denoise_fn(img, t)
            x_start = ((img - noise) / extract(self.sqrt_alphas_cumprod, t, img.shape)).clamp_(-1.0, 1.0)
            img = extract(self.posterior_mean_coef1, t, img.shape) * x_start
            img = img + extract(self.posterior_mean_coef2, t, img.shape) * x_start
            if i > 0:
                img = img + extract(self.posterior_std, t, img.shape) * draw(img.shape)
        return (img + 1) * 0.5


class EMA:
    def __init__(self, model, beta):
        self.beta, self.model = beta, copy.deepcopy(model).eval()

    def update(self, current):
        for average, new in zip(self.model.parameters(), current.parameters()):
            average.data = average.data * self.beta + (1 - self.beta) * new.data


rng = np.random.default_rng(7)


def draw(shape):
    return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))


model = Unet()
with torch.no_grad():
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            p.zero_()
        elif p.ndim > 1:
            p.copy_(draw(p.shape) / math.sqrt(p[0].numel()))
diffusion = GaussianDiffusion(model, timesteps=30)
ema = EMA(diffusion, 0.9)
optimizer = torch.optim.Adam(diffusion.parameters(), lr=2e-3)
bars = torch.zeros(32, 1, 12, 12)
for i in range(32):
    bars[i, 0, i % 12, :] = 1.0
    bars[i, 0, :, i * 5 % 12] = 1.0
for step in range(24):
    for _ in range(2):
        batch = bars[torch.from_numpy(rng.permutation(32)[:8])] * 2 - 1
        t = torch.from_numpy(rng.integers(0, diffusion.num_timesteps, 8))
        loss = diffusion(batch, t, draw(batch.shape))
        (loss / 2).backward()
    optimizer.step()
    optimizer.zero_grad()
    if step % 4 == 3:
        ema.update(diffusion)
    print(f"step {step} loss {loss.item():.6f}")
samples = ema.model.sample(draw((4, 1, 12, 12)), draw)
print(f"samples {tuple(samples.shape)} mean {samples.mean():.4f} std {samples.std():.4f}")
