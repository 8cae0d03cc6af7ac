"""A Siamese network: triplet and contrastive losses, cosine similarity, mixed precision, an exponential schedule."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, random_split


class Triplets(Dataset):
    def __init__(self, count, seed):
        rng = np.random.default_rng(seed)
        self.centres = rng.standard_normal((5, 1, 12, 12)).astype(np.float32)
        self.labels = rng.integers(0, 5, count)
        self.noise = rng.standard_normal((count, 3, 1, 12, 12)).astype(np.float32) * 0.5

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        label = int(self.labels[index])
        other = (label + 1 + index % 4) % 5
        anchor, positive, negative = (self.centres[k] + n for k, n in zip((label, label, other), self.noise[index]))
        return {"anchor": torch.from_numpy(anchor), "positive": positive, "negative": negative, "label": label}


class Embedder(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.convnet = nn.Sequential(
            nn.Conv2d(1, 8, 5), nn.PReLU(), nn.MaxPool2d(2, stride=2), nn.Conv2d(8, 16, 3), nn.PReLU()
        )  # fmt: skip
        self.fc = nn.Sequential(nn.LazyLinear(32), nn.PReLU(), nn.Linear(32, dim))

    def forward(self, x):
        output = self.convnet(x)
        output = self.fc(output.view(output.size()[0], -1))
        return F.normalize(output, p=2, dim=1)


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, target):
        distances = (output2 - output1).pow(2).sum(1)
        losses = 0.5 * (
            target.float() * distances
            + (1 + -1 * target).float() * F.relu(self.margin - (distances + 1e-9).sqrt()).pow(2)
        )
        return losses.mean()


dataset = Triplets(40, 12)
train_set, test_set = random_split(dataset, [32, 8], generator=torch.Generator().manual_seed(1))
train_set.indices = list(range(32))  # the same in every framework
loader = DataLoader(train_set, batch_size=8, shuffle=False)
model = Embedder()
model(torch.zeros(1, 1, 12, 12))
rng = np.random.default_rng(13)
for p in model.parameters():
    if p.dim() > 1:
        p.data.copy_(torch.from_numpy(rng.normal(0, (p.numel() / p.shape[0]) ** -0.5, p.shape)))
    elif p.numel() > 1:
        nn.init.zeros_(p)
triplet = nn.TripletMarginLoss(margin=0.5, p=2)
contrastive = ContrastiveLoss()
optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
for epoch in range(5):
    for batch in loader:
        anchor, positive, negative = (model(batch[k]) for k in ("anchor", "positive", "negative"))
        same = torch.ones(len(anchor))
        loss = triplet(anchor, positive, negative)
        loss = loss + 0.1 * (contrastive(anchor, positive, same) + contrastive(anchor, negative, 1 - same))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"loss {loss.item():.6f}")
    scheduler.step()
    similarity = F.cosine_similarity(anchor, positive).mean()
    distance = torch.cdist(anchor, negative).diagonal().mean()
    print(f"epoch {epoch} similarity {similarity:.5f} distance {distance:.5f}")
with torch.autocast(device_type="cpu", dtype=torch.bfloat16, enabled=False):
    print(f"loss {triplet(model(batch['anchor']), model(batch['positive']), model(batch['negative'])).item():.6f}")
