"""Translation with nn.Transformer (Vaswani et al. 2017): masks, smoothed labels, a warm-up, greedy decoding."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

PAD_IDX, BOS_IDX, EOS_IDX, VOCAB_SIZE = 0, 1, 2, 24
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
rng = np.random.default_rng(5)


class PositionalEncoding(nn.Module):
    def __init__(self, emb_size: int, dropout: float, maxlen: int = 500):
        super(PositionalEncoding, self).__init__()
        den = torch.exp(-torch.arange(0, emb_size, 2) * math.log(10000) / emb_size)
        pos = torch.arange(0, maxlen).reshape(maxlen, 1)
        pos_embedding = torch.zeros((maxlen, emb_size))
        pos_embedding[:, 0::2] = torch.sin(pos * den)
        pos_embedding[:, 1::2] = torch.cos(pos * den)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pos_embedding", pos_embedding.unsqueeze(-2))

    def forward(self, token_embedding: Tensor):
        return self.dropout(token_embedding + self.pos_embedding[: token_embedding.size(0), :])


class Seq2SeqTransformer(nn.Module):
    def __init__(self, num_layers: int, emb_size: int, nhead: int, dim_feedforward: int, dropout: float = 0.0):
        super(Seq2SeqTransformer, self).__init__()
        self.transformer = nn.Transformer(emb_size, nhead, num_layers, num_layers, dim_feedforward, dropout)
        self.generator = nn.Linear(emb_size, VOCAB_SIZE)
        self.src_embedding = nn.Embedding(VOCAB_SIZE, emb_size, padding_idx=PAD_IDX)
        self.tgt_embedding = nn.Embedding(VOCAB_SIZE, emb_size, padding_idx=PAD_IDX)
        self.positional_encoding = PositionalEncoding(emb_size, dropout)
        self.scale = math.sqrt(emb_size)

    def forward(self, src: Tensor, tgt: Tensor, tgt_mask: Tensor, src_padding_mask: Tensor, tgt_padding_mask: Tensor):
        outs = self.transformer(
            self.embed_src(src), self.embed_tgt(tgt), None, tgt_mask, None,
            src_padding_mask, tgt_padding_mask, src_padding_mask,
        )  # fmt: skip
        return self.generator(outs)

    def embed_src(self, src: Tensor):
        return self.positional_encoding(self.src_embedding(src) * self.scale)

    def embed_tgt(self, tgt: Tensor):
        return self.positional_encoding(self.tgt_embedding(tgt) * self.scale)


class LabelSmoothing(nn.Module):
    def __init__(self, size: int, padding_idx: int, smoothing: float):
        super(LabelSmoothing, self).__init__()
        self.criterion = nn.KLDivLoss(reduction="sum")
        self.size, self.padding_idx, self.smoothing = size, padding_idx, smoothing

    def forward(self, x: Tensor, target: Tensor):
        true_dist = x.data.clone()
        true_dist.fill_(self.smoothing / (self.size - 2))
        true_dist.scatter_(1, target.data.unsqueeze(1), 1.0 - self.smoothing)
        true_dist[:, self.padding_idx] = 0
        true_dist.masked_fill_((target == self.padding_idx).unsqueeze(1), 0.0)
        return self.criterion(x, true_dist)


def square_subsequent_mask(size: int):
    mask = (torch.triu(torch.ones((size, size), device=DEVICE)) == 1).transpose(0, 1)
    return mask.float().masked_fill(mask == 0, float("-inf")).masked_fill(mask == 1, float(0.0)) == float("-inf")


def rate(step: int, model_size: int, factor: float, warmup: int):
    step = max(step, 1)
    return factor * (model_size ** (-0.5) * min(step ** (-0.5), step * warmup ** (-1.5)))


def batch(size: int, length: int):
    """Sentences, and themselves spelt backwards."""
    src = torch.from_numpy(rng.integers(3, VOCAB_SIZE, (length, size)))
    lengths = torch.from_numpy(rng.integers(3, length + 1, size))
    src[torch.arange(length)[:, None] >= lengths[None, :]] = PAD_IDX
    tgt = torch.full((length + 2, size), PAD_IDX)
    tgt[0] = BOS_IDX
    for j, n in enumerate(lengths.tolist()):
        tgt[1 : 1 + n, j] = src[:n, j].flip(0)
        tgt[1 + n, j] = EOS_IDX
    return src.to(DEVICE), tgt.to(DEVICE)


model = Seq2SeqTransformer(num_layers=2, emb_size=32, nhead=4, dim_feedforward=64).to(DEVICE)
with torch.no_grad():
    for name, p in model.named_parameters():
        if p.dim() > 1:
            p.copy_(torch.from_numpy(rng.uniform(-1, 1, p.shape) * math.sqrt(6 / sum(p.shape))))
        elif name.endswith("bias"):
            p.zero_()
    for embedding in (model.src_embedding, model.tgt_embedding):
        embedding.weight[PAD_IDX].fill_(0)
criterion = LabelSmoothing(VOCAB_SIZE, PAD_IDX, 0.1)
optimizer = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, 32, 0.3, 15))
model.train()
for step in range(24):
    src, tgt = batch(16, 8)
    tgt_input, tgt_out = tgt[:-1, :], tgt[1:, :]
    tgt_mask = square_subsequent_mask(tgt_input.size(0))
    padding = [(ids == PAD_IDX).transpose(0, 1) for ids in (src, tgt_input)]
    logits = model(src, tgt_input, tgt_mask, *padding)
    log_probs = F.log_softmax(logits, dim=-1).reshape(-1, VOCAB_SIZE)
    loss = criterion(log_probs, tgt_out.reshape(-1)) / (tgt_out != PAD_IDX).data.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    print(f"step {step} loss {loss.item():.5f} rate {scheduler.get_last_lr()[0]:.5f}")

model.eval()
with torch.no_grad():
    src = torch.tensor([5, 9, 11, 20]).view(-1, 1)
    memory = model.transformer.encoder(model.embed_src(src))
    ys = torch.ones(1, 1).fill_(BOS_IDX).type(torch.long)
    for _ in range(6):
        out = model.transformer.decoder(model.embed_tgt(ys), memory, square_subsequent_mask(ys.size(0)))
        _, next_word = torch.max(model.generator(out[-1]), dim=1)
        ys = torch.cat([ys, torch.ones(1, 1).type_as(src.data).fill_(next_word.item())], dim=0)
        if next_word.item() == EOS_IDX:
            break
print("decoded", ys.flatten().tolist())
