"""Graph convolution by index_add over an edge list, with an attention layer by scatter and early stopping."""

import math
from typing import Optional

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def gcn_norm(edge_index: torch.Tensor, num_nodes: int) -> tuple:
    loops = torch.arange(num_nodes).unsqueeze(0).repeat(2, 1)
    edge_index = torch.cat([edge_index, loops], dim=1)
    row, col = edge_index
    deg = torch.zeros(num_nodes).index_add_(0, col, torch.ones(col.numel()))
    deg_inv_sqrt = deg.pow(-0.5)
    deg_inv_sqrt.masked_fill_(deg_inv_sqrt == float("inf"), 0)
    return edge_index, deg_inv_sqrt[row] * deg_inv_sqrt[col]


class GraphConvolution(nn.Module):
    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        if bias:
            self.bias: Optional[nn.Parameter] = nn.Parameter(torch.empty(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, x, edge_index, edge_weight):
        support = torch.mm(x, self.weight)
        row, col = edge_index
        messages = support.index_select(0, row) * edge_weight.view(-1, 1)
        output = torch.zeros_like(support).index_add(0, col, messages)
        return output if self.bias is None else output + self.bias

    def extra_repr(self):
        return f"{self.weight.shape[0]} -> {self.weight.shape[1]}"


class GraphAttention(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.lin = nn.Linear(in_features, out_features, bias=False)
        self.att = nn.Parameter(torch.zeros(2, out_features))

    def forward(self, x, edge_index):
        h = self.lin(x)
        row, col = edge_index
        score = F.leaky_relu((h[row] * self.att[0]).sum(-1) + (h[col] * self.att[1]).sum(-1), 0.2)
        top = torch.full((x.size(0),), -1e9).scatter_reduce(0, col, score, reduce="amax", include_self=True)
        exp = (score - top[col]).exp()
        total = torch.zeros(x.size(0)).scatter_add(0, col, exp)
        alpha = exp / total[col].clamp_min(1e-12)
        return torch.zeros_like(h).scatter_add_(0, col[:, None].expand(-1, h.size(1)), alpha[:, None] * h[row])


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass):
        super().__init__()
        self.gc1 = GraphConvolution(nfeat, nhid)
        self.gat = GraphAttention(nhid, nhid)
        self.gc2 = GraphConvolution(nhid, nclass, bias=False)

    def forward(self, x, edge_index, edge_weight):
        x = F.elu(self.gc1(x, edge_index, edge_weight))
        x = F.relu(self.gat(x, edge_index)) + x
        return F.log_softmax(self.gc2(x, edge_index, edge_weight), dim=1)


rng = np.random.default_rng(11)
n = 40
labels = torch.from_numpy(rng.integers(0, 3, n))
features = torch.eye(3)[labels] + torch.from_numpy(rng.normal(0, 0.8, (n, 3)).astype(np.float32))
edges = torch.from_numpy(rng.integers(0, n, (2, 120)))
edges = torch.cat([edges, edges.flip(0)], dim=1).unique(dim=1)
edge_index, edge_weight = gcn_norm(edges, n)
train_mask = torch.zeros(n, dtype=torch.bool)
train_mask[torch.from_numpy(rng.permutation(n)[:25])] = True

model = GCN(3, 16, 3)
print(model)
for p in model.parameters():
    nn.init.constant_(p, 0)
    p.data += torch.from_numpy(rng.normal(0, 0.4, p.shape)).to(p.dtype)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
best, patience = float("inf"), 0
for epoch in range(40):
    model.train()
    optimizer.zero_grad()
    out = model(features, edge_index, edge_weight)
    loss = F.nll_loss(out[train_mask], labels[train_mask])
    loss.backward()
    optimizer.step()
    model.eval()
    with torch.no_grad():
        out = model(features, edge_index, edge_weight)
        val = F.nll_loss(out[~train_mask], labels[~train_mask]).item()
        acc = (out.argmax(dim=1)[train_mask] == labels[train_mask]).float().mean()
    patience = 0 if val < best else patience + 1
    best = min(best, val)
    print(f"epoch {epoch} loss {loss.item():.6f} val {val:.6f} accuracy {acc.item():.3f}")
    if patience == 20:
        break
