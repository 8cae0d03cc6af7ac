"""A perceptron with one hidden layer, 784-64-10: what overhead costs."""

from .workload import Goal, Workload, classified, linear

_SHAPES = dict([*linear("hidden", 784, 64), *linear("output", 64, 10)])


def _mlp(name: str, batch: int) -> Workload:
    return Workload(
        name=name,
        title=f"MLP 784-64-10, batch {batch}",
        model="mlp",
        shapes=_SHAPES,
        batch=classified(batch, (784,), 10),
        goal=Goal(eager=3.5, compiled=5.0),
        inference={1: 3.0, 32: None} if batch > 1 else {},
    )


MLP = _mlp("mlp", 32)
MLP_SINGLE = _mlp("mlp-1", 1)
