"""A word-level LSTM language model as in PyTorch's examples: detached states, clipping, updates by hand, files."""

import math
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn


class RNNModel(nn.Module):
    def __init__(self, rnn_type, ntoken, ninp, nhid, nlayers, dropout=0.0, tie_weights=False):
        super(RNNModel, self).__init__()
        self.ntoken = ntoken
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = getattr(nn, rnn_type)(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            self.decoder.weight = self.encoder.weight
        self.init_weights()
        self.nhid, self.nlayers = nhid, nlayers

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output)).view(-1, self.ntoken)
        return nn.functional.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid))


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous()


def repackage_hidden(h):
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def get_batch(source, i, bptt=7):
    seq_len = min(bptt, len(source) - 1 - i)
    return source[i : i + seq_len], source[i + 1 : i + 1 + seq_len].view(-1)


rng = np.random.default_rng(9)
corpus = torch.LongTensor(np.abs(rng.normal(0, 6, 220)).astype(np.int64).clip(0, 24))
train_data = batchify(corpus, 4)
model = RNNModel("LSTM", 25, 16, 16, 2, tie_weights=True)
for name, p in model.named_parameters():
    p.data.copy_(torch.from_numpy(rng.uniform(-0.2, 0.2, p.shape)))
criterion = nn.NLLLoss()
lr = 5.0


def evaluate(source):
    model.eval()
    total_loss = 0.0
    hidden = model.init_hidden(4)
    with torch.no_grad():
        for i in range(0, source.size(0) - 1, 7):
            data, targets = get_batch(source, i)
            output, hidden = model(data, hidden)
            hidden = repackage_hidden(hidden)
            total_loss += len(data) * criterion(output, targets).item()
    return total_loss / (len(source) - 1)


def train():
    model.train()
    hidden = model.init_hidden(4)
    for batch, i in enumerate(range(0, train_data.size(0) - 1, 7)):
        data, targets = get_batch(train_data, i)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-lr)
        print("| {:3d} batches | lr {:02.2f} | loss {:5.5f} | ppl {:8.4f}".format(
            batch, lr, loss.item(), math.exp(loss.item())))  # fmt: skip


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.pt")
    best = None
    for epoch in range(3):
        train()
        val_loss = evaluate(train_data)
        print(f"valid loss {val_loss:.5f}")
        if best is None or val_loss < best:
            with open(path, "wb") as f:
                torch.save(model.state_dict(), f)
            best = val_loss
        else:
            lr /= 4.0
    with open(path, "rb") as f:
        model.load_state_dict(torch.load(f, map_location=lambda storage, loc: storage))
    model.rnn.flatten_parameters()
    print(f"best loss {evaluate(train_data):.5f}")
