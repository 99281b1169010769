"""A process that does one thing again and again when it is told to, and says how often it did it.

It speaks by lines: says ``ready``, hears ``go START SECONDS`` (START by the machine's monotonic clock, which all
processes share), answers ``{"done": …, "elapsed_s": …}``.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable

Step = Callable[[], int]


def main(contender: str, number: int) -> None:
    """Be process ``number`` of a contender, named ``module:function``; the function makes the step to repeat."""
    import django

    django.setup()
    module, _, function = contender.partition(":")
    step: Step = getattr(importlib.import_module(f"bench.{module}"), function)(number)
    _say("ready")
    for line in sys.stdin:
        start, seconds = (float(part) for part in line.split()[1:])
        _say(json.dumps(repeat(step, start, seconds)))


def repeat(step: Step, start: float, seconds: float) -> dict[str, float]:
    """Repeat a step from an instant on for so long; returns how much it did, and the time it took in all."""
    time.sleep(max(0.0, start - time.monotonic()))
    began, done = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        done += step()
    return {"done": done, "elapsed_s": time.monotonic() - began}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
