"""`python -m benchmarks.recording`: what Python costs between the user's operator and the trace.

Nothing is computed while the clock runs. A step of a training loop records the same operations again and again, so each
sample walks a path of the tree that was grown before: what is measured is the cost of a repeated step.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import duograph
from duograph.graph import trace

OPERATIONS = 200  # per sample
SAMPLES = 101


def sample(prepare: Callable[[], Any], run: Callable[[Any], Any], operations: int) -> Iterator[float]:
    """Processor seconds per operation, again and again, whatever else the machine does; `prepare` is not timed."""
    while True:
        trace.local.trace.retire()
        given = prepare()
        start = time.thread_time()
        held = run(given)
        seconds = time.thread_time() - start
        del held, given
        yield seconds / operations


def chain(make: Callable[[], Any], step: Callable[[Any, Any], Any]) -> Iterator[float]:
    """One operation after another, each on the result of the last."""

    def run(given: tuple[Any, Any]) -> Any:
        x, y = given
        for _ in range(OPERATIONS):
            x = step(x, y)
        return x

    return sample(lambda: (make(), make()), run, OPERATIONS)


def backward(leaves: int) -> Iterator[float]:
    """Going backwards through a chain of products of `leaves` leaves in turn; per operation on the tape."""

    def prepare() -> Any:
        given = [constant().requires_grad_() for _ in range(leaves)]
        for leaf in given:
            leaf.grad = constant()
        x = given[0]
        for k in range(OPERATIONS):
            x = x * given[k % leaves]
        return given, x.sum()

    return sample(prepare, lambda given: given[1].backward(), OPERATIONS)


def constant() -> Any:
    return duograph.ones(3)


def leaf() -> Any:
    return constant().requires_grad_()


CASES = {
    "a + b": lambda: chain(constant, lambda x, y: x + y),
    "a + b, taped": lambda: chain(leaf, lambda x, y: x + y),
    "a + 1.0": lambda: chain(constant, lambda x, _: x + 1.0),
    "-a": lambda: chain(constant, lambda x, _: -x),
    "a.exp()": lambda: chain(constant, lambda x, _: x.exp()),
    "a += b": lambda: chain(constant, lambda x, y: x.__iadd__(y)),
    "backward, 1 leaf": lambda: backward(1),
    "backward, 100 leaves": lambda: backward(100),
}


def main() -> None:
    """Print the median and the best of each case, in microseconds per operation."""
    running = {name: case() for name, case in CASES.items()}
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    gc.disable()
    for turn in range(SAMPLES + 3):
        for name, samples in running.items():
            taken = next(samples)
            if turn >= 3:  # the first ones grow the tree
                seconds[name].append(taken)
    gc.enable()
    print(f"{'operation':<24}{'median µs':>10}{'best µs':>10}")
    for name, taken in seconds.items():
        print(f"{name:<24}{statistics.median(taken) * 1e6:>10.2f}{min(taken) * 1e6:>10.2f}")


if __name__ == "__main__":
    main()
