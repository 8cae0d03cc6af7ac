"""A variational autoencoder with the reparametrisation trick, on sparse binary images."""

from __future__ import print_function

import numpy as np
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F

rng = np.random.default_rng(7)


class Images(torch.utils.data.Dataset):
    def __init__(self, count):
        self.images = (rng.random((count, 1, 14, 14)) < 0.2).astype(np.float32)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, idx):
        return self.images[idx], idx % 10


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(196, 64)
        self.fc21 = nn.Linear(64, 8)
        self.fc22 = nn.Linear(64, 8)
        self.fc3 = nn.Linear(8, 64)
        self.fc4 = nn.Linear(64, 196)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.from_numpy(rng.standard_normal(std.shape)).to(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 196))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 196), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


model = VAE()
for p in model.parameters():
    p.data = torch.from_numpy(rng.normal(0, 0.08, p.shape).astype(np.float32))
optimizer = optim.Adam(model.parameters(), lr=3e-3)
train_loader = torch.utils.data.DataLoader(Images(48), batch_size=16, drop_last=True)


def train(epoch):
    model.train()
    train_loss = 0
    for batch_idx, (data, _) in enumerate(train_loader):
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        print("Train Epoch: {} [{}/{}]\tLoss: {:.5f}".format(
            epoch, batch_idx * len(data), len(train_loader.dataset), loss.item() / len(data)))  # fmt: skip
    print("====> Epoch: {} Average loss: {:.4f}".format(epoch, train_loss / len(train_loader.dataset)))


for epoch in range(1, 8):
    train(epoch)
    with torch.no_grad():
        sample = model.decode(torch.zeros(1, 8)).cpu()
        print(f"mean of a sample {sample.mean().item():.5f}")
