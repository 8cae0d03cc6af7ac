"""A long short-term memory (Hochreiter & Schmidhuber, 1997) that reads images row by row: 28 steps of 28 features."""

from .workload import Goal, Workload, classified, linear

FEATURES, STEPS, HIDDEN, BATCH = 28, 28, 128, 64

LSTM = Workload(
    name="lstm",
    title=f"LSTM {HIDDEN}, {STEPS} steps, batch {BATCH}",
    model="lstm",
    shapes={
        "lstm.weight_ih_l0": (4 * HIDDEN, FEATURES),
        "lstm.weight_hh_l0": (4 * HIDDEN, HIDDEN),
        "lstm.bias_ih_l0": (4 * HIDDEN,),
        "lstm.bias_hh_l0": (4 * HIDDEN,),
        **dict(linear("output", HIDDEN, 10)),
    },
    batch=classified(BATCH, (STEPS, FEATURES), 10),
    goal=Goal(eager=1.8, compiled=1.8),
)
