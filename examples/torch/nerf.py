"""A neural radiance field (Mildenhall et al. 2020): encoded positions, coarse and fine samples along rays, one view."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(2)


class Embedder:
    """Sines and cosines of positions at growing frequencies, beside the positions."""

    def __init__(self, input_dims, num_freqs):
        self.fns = [lambda x: x]
        for freq in 2.0 ** torch.linspace(0.0, num_freqs - 1, steps=num_freqs):
            for fn in (torch.sin, torch.cos):
                self.fns.append(lambda x, fn=fn, freq=freq: fn(x * freq))
        self.out_dim = input_dims * len(self.fns)

    def __call__(self, inputs):
        return torch.cat([fn(inputs) for fn in self.fns], -1)


class NeRF(nn.Module):
    def __init__(self, depth, width, input_ch, input_ch_views, skips=(2,)):
        super(NeRF, self).__init__()
        self.input_ch, self.input_ch_views, self.skips = input_ch, input_ch_views, skips
        self.pts_linears = nn.ModuleList([nn.Linear(input_ch, width)])
        for i in range(depth - 1):
            self.pts_linears.append(nn.Linear(width + (input_ch if i in skips else 0), width))
        self.feature_linear, self.alpha_linear = nn.Linear(width, width), nn.Linear(width, 1)
        self.views_linear, self.rgb_linear = nn.Linear(input_ch_views + width, width // 2), nn.Linear(width // 2, 3)

    def forward(self, x):
        input_pts, input_views = torch.split(x, [self.input_ch, self.input_ch_views], dim=-1)
        h = input_pts
        for i, layer in enumerate(self.pts_linears):
            h = F.relu(layer(h))
            if i in self.skips:
                h = torch.cat([input_pts, h], -1)
        alpha = self.alpha_linear(h)
        h = F.relu(self.views_linear(torch.cat([self.feature_linear(h), input_views], -1)))
        return torch.cat([self.rgb_linear(h), alpha], -1)


def get_rays(height, width, focal, c2w):
    i, j = torch.meshgrid(torch.linspace(0, width - 1, width), torch.linspace(0, height - 1, height), indexing="ij")
    i, j = i.t(), j.t()
    dirs = torch.stack([(i - width * 0.5) / focal, -(j - height * 0.5) / focal, -torch.ones_like(i)], -1)
    rays_d = torch.sum(dirs[..., np.newaxis, :] * c2w[:3, :3], -1)
    return c2w[:3, -1].expand(rays_d.shape), rays_d


def sample_pdf(bins, weights, n_samples):
    pdf = (weights + 1e-5) / torch.sum(weights + 1e-5, -1, keepdim=True)
    cdf = torch.cumsum(pdf, -1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], -1)
    u = torch.linspace(0.0, 1.0, steps=n_samples).expand([*cdf.shape[:-1], n_samples]).contiguous()
    inds = torch.searchsorted(cdf, u, right=True)
    below = torch.max(torch.zeros_like(inds), inds - 1)
    above = torch.min((cdf.shape[-1] - 1) * torch.ones_like(inds), inds)
    inds_g = torch.stack([below, above], -1)
    matched_shape = [inds_g.shape[0], inds_g.shape[1], cdf.shape[-1]]
    cdf_g = torch.gather(cdf.unsqueeze(1).expand(matched_shape), 2, inds_g)
    bins_g = torch.gather(bins.unsqueeze(1).expand(matched_shape), 2, inds_g)
    denom = cdf_g[..., 1] - cdf_g[..., 0]
    t = (u - cdf_g[..., 0]) / torch.where(denom < 1e-5, torch.ones_like(denom), denom)
    return bins_g[..., 0] + t * (bins_g[..., 1] - bins_g[..., 0])


def raw2outputs(raw, z_vals, rays_d):
    dists = z_vals[..., 1:] - z_vals[..., :-1]
    dists = torch.cat([dists, torch.Tensor([1e10]).expand(dists[..., :1].shape)], -1)
    dists = dists * torch.norm(rays_d[..., None, :], dim=-1)
    alpha = 1.0 - torch.exp(-F.softplus(raw[..., 3] - 1) * dists)
    passed = torch.cumprod(torch.cat([torch.ones((alpha.shape[0], 1)), 1.0 - alpha + 1e-10], -1), -1)[:, :-1]
    weights = alpha * passed
    rgb_map = torch.sum(weights[..., None] * torch.sigmoid(raw[..., :3]), -2)
    return rgb_map, weights, torch.sum(weights * z_vals, -1)


def render_rays(rays_o, rays_d, coarse, fine, n_samples=12, n_importance=8, near=2.0, far=6.0):
    viewdirs = rays_d / torch.norm(rays_d, dim=-1, keepdim=True)

    def query(network, z_vals):
        pts = rays_o[..., None, :] + rays_d[..., None, :] * z_vals[..., :, None]
        inputs = torch.cat([embed(pts), embed_dirs(viewdirs)[:, None].expand(*pts.shape[:2], -1)], -1)
        return raw2outputs(network(inputs), z_vals, rays_d)

    z_vals = torch.linspace(near, far, steps=n_samples).expand([rays_o.shape[0], n_samples])
    mids = 0.5 * (z_vals[..., 1:] + z_vals[..., :-1])
    upper, lower = torch.cat([mids, z_vals[..., -1:]], -1), torch.cat([z_vals[..., :1], mids], -1)
    z_vals = lower + (upper - lower) * torch.from_numpy(rng.random(z_vals.shape).astype(np.float32))
    rgb_coarse, weights, _ = query(coarse, z_vals)
    z_mid = 0.5 * (z_vals[..., 1:] + z_vals[..., :-1])
    z_samples = sample_pdf(z_mid, weights[..., 1:-1], n_importance).detach()
    z_vals, _ = torch.sort(torch.cat([z_vals, z_samples], -1), -1)
    rgb, _, depth = query(fine, z_vals)
    return rgb, rgb_coarse, depth


embed, embed_dirs = Embedder(3, 4), Embedder(3, 2)
coarse, fine = (NeRF(4, 32, embed.out_dim, embed_dirs.out_dim) for _ in range(2))
grad_vars = list(coarse.parameters()) + list(fine.parameters())
for p in grad_vars:
    scale = 0.0 if p.dim() == 1 else (2 / p.shape[1]) ** 0.5
    p.data.copy_(torch.from_numpy(rng.normal(0, 1, p.shape) * scale))
optimizer = torch.optim.Adam(params=grad_vars, lr=5e-4, betas=(0.9, 0.999))
height = width = 16
pose = torch.eye(4)[:3]
pose[2, 3] = 4.0
target = torch.linspace(0, 1, width)[None, :, None] * torch.tensor([1.0, 0.5, 0.0]) + torch.zeros(height, 1, 1)
rays_o, rays_d = get_rays(height, width, 20.0, pose)
coords = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1).reshape([-1, 2])
for step in range(24):
    select = coords[rng.choice(coords.shape[0], size=[64], replace=False)]
    chosen = select[:, 0], select[:, 1]
    rgb, rgb_coarse, depth = render_rays(rays_o[chosen], rays_d[chosen], coarse, fine)
    fine_loss = torch.mean((rgb - target[chosen]) ** 2)
    loss = fine_loss + torch.mean((rgb_coarse - target[chosen]) ** 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for group in optimizer.param_groups:
        group["lr"] = 5e-4 * 0.1 ** (step / 100)
    psnr = -10.0 * torch.log(fine_loss) / torch.log(torch.Tensor([10.0]))
    print(f"step {step} loss {loss.item():.6f} PSNR {psnr.item():.3f} depth {depth.mean().item():.4f}")
with torch.no_grad():
    rgb, _, _ = render_rays(rays_o.reshape(-1, 3), rays_d.reshape(-1, 3), coarse, fine)
print(f"view {tuple(rgb.reshape(height, width, 3).shape)} mean {rgb.mean():.4f}")
