"""The MNIST classic: conv 32, conv 64, max pool, dense 128, dense 10."""

from .workload import Goal, Workload, classified, convolution, linear

POOLED = (64, 12, 12)

MNIST_CNN = Workload(
    name="mnist-cnn",
    title="MNIST CNN, batch 64",
    model="mnist_cnn",
    shapes=dict(
        [
            *convolution("conv1", 1, 32, 3),
            *convolution("conv2", 32, 64, 3),
            *linear("hidden", 64 * 12 * 12, 128),
            *linear("output", 128, 10),
        ]
    ),
    batch=classified(64, (1, 28, 28), 10),
    goal=Goal(eager=1.4, compiled=1.4),
    learning_rate=3e-4,  # at 1e-3 rounding alone makes 5e-4 of difference after 20 steps
    inference={1: 1.3, 32: None},
    flattened={"hidden.weight": POOLED},
)
