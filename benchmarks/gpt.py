"""`python -m benchmarks.gpt --data FILE`: how long a character GPT takes to a validation loss, here and under PyTorch.

The program is `examples/torch/char_gpt.py` as it stands, by `duograph run` and by `python`; each run is a process of
its own, and the two take turns. The program itself says how long it took, from its first step on: compiling and the
looks at the validation loss are included, imports and the text that it writes in the end are not.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

from .process import ROOT

PROGRAM = ROOT / "examples" / "torch" / "char_gpt.py"
STARTERS = {"duograph": ["-m", "duograph", "run"], "torch": []}
GOAL = 1.6  # times PyTorch's speed
REPORT = re.compile(r"step (\d+): .*validation loss ([\d.]+), ([\d.]+) s")


def run(framework: str, data: Path, until: float, threads: int) -> tuple[float, int, float]:
    """Seconds until the validation loss was reached, steps, and the validation loss then."""
    command = [sys.executable, "-W", "ignore", *STARTERS[framework], str(PROGRAM)]
    count = str(threads)
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "DUOGRAPH_NUM_THREADS"), count)
    output = subprocess.run(
        [*command, "--data", str(data.resolve()), "--until", str(until)],
        check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip
    steps, loss, seconds = REPORT.findall(output)[-1]
    if float(loss) > until:
        raise SystemExit(f"{framework}: the validation loss is {loss} after {steps} steps, {until} was to be reached")
    return float(seconds), int(steps), float(loss)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpt", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a text file, such as tinyshakespeare's input.txt")
    parser.add_argument("--until", type=float, default=1.9, help="the validation loss")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--without-peer", action="store_true", help="us alone")
    arguments = parser.parse_args()
    frameworks = list(STARTERS)[: 1 if arguments.without_peer else 2]
    seconds: dict[str, list[float]] = {framework: [] for framework in frameworks}
    for _ in range(arguments.rounds):
        for framework in frameworks:
            taken, steps, loss = run(framework, arguments.data, arguments.until, arguments.threads)
            seconds[framework].append(taken)
            print(f"{framework:10}{taken:8.1f} s  {steps} steps, validation loss {loss:.4f}", flush=True)
    if len(frameworks) == 2:
        ratio = statistics.median(seconds["torch"]) / statistics.median(seconds["duograph"])
        print(f"PyTorch takes {ratio:.2f} times as long; goal: {GOAL}")


if __name__ == "__main__":
    main()
