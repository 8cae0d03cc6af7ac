"""ViT-Tiny (Touvron et al., "Training data-efficient image transformers", 2021) for 32×32 images in patches of 4×4."""

from .workload import Goal, Workload, classified

SIZE, PATCH, WIDTH, LAYERS, HEADS, BATCH = 32, 4, 192, 12, 3, 32

VIT = Workload(
    name="vit-tiny",
    title=f"ViT-Tiny for {SIZE}×{SIZE}, batch {BATCH}",
    model="vit",
    batch=classified(BATCH, (3, SIZE, SIZE), 10),
    goal=Goal(eager=1.2, compiled=1.2),
    learning_rate=1e-4,
)
