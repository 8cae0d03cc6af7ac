"""A character-level GPT."""

from typing import Any

from ..workloads.gpt import HEADS, LAYERS, TOKENS, VOCABULARY, WIDTH


def build(torch: Any) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class TransformerBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(WIDTH)
            self.attention = nn.Linear(WIDTH, 3 * WIDTH)
            self.projection = nn.Linear(WIDTH, WIDTH)
            self.norm2 = nn.LayerNorm(WIDTH)
            self.expand = nn.Linear(WIDTH, 4 * WIDTH)
            self.contract = nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            x = x + self.projection(self.attend(self.attention(self.norm1(x))))
            return x + self.contract(F.gelu(self.expand(self.norm2(x))))

        def attend(self, x: Any) -> Any:
            sequences, tokens, _ = x.shape
            query, key, value = (
                part.view(sequences, tokens, HEADS, WIDTH // HEADS).transpose(1, 2) for part in x.split(WIDTH, dim=2)
            )
            y = F.scaled_dot_product_attention(query, key, value, is_causal=True)
            return y.transpose(1, 2).reshape(sequences, tokens, WIDTH)

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token_embedding = nn.Embedding(VOCABULARY, WIDTH)
            self.position_embedding = nn.Embedding(TOKENS, WIDTH)
            self.blocks = nn.ModuleList([TransformerBlock() for _ in range(LAYERS)])
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

        def forward(self, tokens: Any) -> Any:
            x = self.token_embedding(tokens) + self.position_embedding.weight[: tokens.shape[1]]
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x)).flatten(0, 1)

    return GPT()
