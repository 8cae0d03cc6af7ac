"""A vision transformer: patches, a class token, pre-norm blocks."""

from typing import Any

from ..workloads.vit import HEADS, LAYERS, PATCH, SIZE, WIDTH


def build(torch: Any) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(WIDTH)
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.projection = nn.Linear(WIDTH, WIDTH)
            self.norm2 = nn.LayerNorm(WIDTH)
            self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

        def forward(self, x: Any) -> Any:
            x = x + self.attend(self.norm1(x))
            return x + self.mlp(self.norm2(x))

        def attend(self, x: Any) -> Any:
            images, tokens, _ = x.shape
            qkv = self.qkv(x).reshape(images, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
            query, key, value = qkv.unbind(0)
            y = F.scaled_dot_product_attention(query, key, value)
            return self.projection(y.transpose(1, 2).reshape(images, tokens, WIDTH))

    class ViT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
            self.class_embedding = nn.Parameter(torch.zeros(1, 1, WIDTH))
            self.position_embedding = nn.Parameter(torch.zeros(1, (SIZE // PATCH) ** 2 + 1, WIDTH))
            self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, 10)

        def forward(self, x: Any) -> Any:
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat((self.class_embedding.expand(len(x), -1, -1), x), dim=1) + self.position_embedding
            return self.head(self.norm(self.blocks(x))[:, 0])

    return ViT()
