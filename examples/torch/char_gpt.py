"""A character GPT that learns to write like a text file, from an ordinary training loop.

    python char_gpt.py --data input.txt --until 1.9

Without a file it takes a few steps on a made-up text and prints their losses.
"""

import argparse
import math
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

BLOCK, WIDTH, LAYERS, HEADS, BATCH = 64, 128, 4, 4, 12


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.attention = nn.Linear(WIDTH, 3 * WIDTH)
        self.projection = nn.Linear(WIDTH, WIDTH)
        self.ln_2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        batch, length, _ = x.shape
        q, k, v = self.attention(self.ln_1(x)).split(WIDTH, dim=2)
        q, k, v = (t.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(y.transpose(1, 2).contiguous().view(batch, length, WIDTH))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(BLOCK, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, vocabulary, bias=False)

    def forward(self, tokens, targets=None):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        logits = self.head(self.norm(self.blocks(x)))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    @torch.no_grad()
    def generate(self, context, count, temperature=0.8):
        """What follows `context`, BLOCK characters."""
        written = []
        for _ in range(count):
            logits, _ = self(torch.tensor([context]))
            probabilities = F.softmax(logits[0, -1] / temperature, dim=-1)
            written.append(torch.multinomial(probabilities, num_samples=1).item())
            context = context[1:] + written[-1:]
        return written


def initialise(model, rng):
    """The same first weights wherever the program runs."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                scale = 0.02 / math.sqrt(2 * LAYERS) if "projection" in name or "mlp.2" in name else 0.02
                parameter.copy_(torch.from_numpy(rng.normal(0, scale, parameter.shape)))
            elif name.endswith("bias"):
                parameter.zero_()


def learning_rate(step, steps, highest=2e-3, lowest=2e-4, warming=100):
    if step < warming:
        return highest * (step + 1) / warming
    along = min(1.0, (step - warming) / (steps - warming))
    return lowest + 0.5 * (1 + math.cos(math.pi * along)) * (highest - lowest)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="the text")
    parser.add_argument("--steps", type=int, default=3000, help="steps over which the learning rate falls")
    parser.add_argument("--until", type=float, default=0.0, help="stop at this validation loss")
    parser.add_argument("--every", type=int, default=100, help="steps between two looks at the validation loss")
    args = parser.parse_args()

    rng = np.random.default_rng(1337)
    if args.data:
        with open(args.data, encoding="utf-8") as file:
            text = file.read()
    else:
        text = "".join(rng.choice(list("to be or not, that is the question\n"), 4000))
    characters = sorted(set(text))
    index = {c: i for i, c in enumerate(characters)}
    data = torch.tensor([index[c] for c in text], dtype=torch.long)
    split = int(0.9 * len(data))
    train_data, val_data = data[:split], data[split:]

    def get_batch(data, rng):
        starts = rng.integers(0, len(data) - BLOCK, BATCH).tolist()
        x = torch.stack([data[i : i + BLOCK] for i in starts])
        y = torch.stack([data[i + 1 : i + 1 + BLOCK] for i in starts])
        return x, y

    model = GPT(len(characters))
    initialise(model, rng)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))

    @torch.no_grad()
    def validation_loss():
        model.eval()
        batches, rng = 40, np.random.default_rng(0)  # the same batches each time
        losses = [model(*get_batch(val_data, rng))[1].item() for _ in range(batches)]
        model.train()
        return sum(losses) / batches

    start = time.perf_counter()
    for step in range(args.steps if args.data else 20):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps)
        x, y = get_batch(train_data, rng)
        _, loss = model(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if not args.data:
            print(f"step {step} loss {loss.item():.6f}")
        elif (step + 1) % args.every == 0:
            validation = validation_loss()
            seconds = time.perf_counter() - start
            report = f"step {step + 1}: loss {loss.item():.4f}, validation loss {validation:.4f}, {seconds:.1f} s"
            print(report, flush=True)
            if validation <= args.until:
                break
    if args.data:
        written = model.generate(val_data[:BLOCK].tolist(), 400)
        print("".join(characters[i] for i in written))
    else:
        print(f"validation loss {validation_loss():.6f}")


main()
