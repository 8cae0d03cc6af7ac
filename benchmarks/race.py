"""Timing several processes against each other, in rounds, so that a disturbance hits all alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .measure import ENOUGH, QUIET, Sample, summarise
from .process import Worker, WorkerError

EXTENSION = 3  # times as many rounds at most, when the machine is too busy for enough quiet samples


@dataclass
class Lane:
    """A worker that is ready to be timed, and what has been measured of it."""

    worker: Worker
    variant: str = ""
    samples: list[Sample] = field(default_factory=list)
    error: str = ""

    @property
    def settled(self) -> bool:
        return bool(self.error) or sum(sample.disturbance < QUIET for sample in self.samples) >= ENOUGH

    def summary(self) -> dict[str, Any]:
        """Median, best and counts; or the reason why there are none."""
        return {"error": self.error} if self.error else asdict(summarise(self.samples))


def race(
    lanes: Mapping[Any, Lane],
    rounds: int,
    seconds: float,
    settle: float,
    pause: float,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Take one sample of every lane in each round, until there are `rounds` and each lane has enough quiet samples.

    Args:
        lanes: who takes part; a lane whose worker fails gets its `error`.
        rounds: rounds to run at least; at most three times as many.
        seconds: length of a sample.
        settle: seconds to wait before each sample, for the threads of the one before to go to sleep.
        pause: seconds to wait after a round in which somebody was disturbed.
        say: is told which round it is.
    """
    order = list(lanes.values())
    for number in range(EXTENSION * rounds):
        if number >= rounds and all(lane.settled for lane in order):
            break
        say(f"round {number + 1} of {rounds}")
        start = number % max(1, len(order))  # nobody always comes after the same one
        disturbed = False
        for lane in order[start:] + order[:start]:
            if lane.error:
                continue
            time.sleep(settle)
            try:
                sample = Sample(**lane.worker.ask("sample", seconds=seconds, variant=lane.variant))
            except WorkerError as error:
                lane.error = str(error)
            else:
                lane.samples.append(sample)
                disturbed |= sample.disturbance >= QUIET
        if disturbed:
            time.sleep(pause)
