"""Rounds: every contender once in each, alone, in an order that is drawn anew for each round.

Whoever always ran after the same other would always bear what that one leaves behind.
"""

import random
import statistics
from collections.abc import Sequence

from bench.pools import Contender

WARM_UP_S = 1.0


def race(contenders: Sequence[Contender], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return every contender's rates, one for each round."""
    rates: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    try:
        for contender in contenders:
            contender.run(WARM_UP_S)
        for number in range(rounds):
            for contender in random.Random(number).sample(contenders, len(contenders)):
                rates[contender.name].append(contender.run(seconds))
            told = ", ".join(f"{name} {done[-1]:,.0f}" for name, done in rates.items())
            print(f"  round {number + 1} of {rounds}: {told}", flush=True)
    finally:
        for contender in contenders:
            contender.close()
    return rates


def medians(rates: dict[str, list[float]]) -> dict[str, float]:
    """Return the median of each."""
    return {name: statistics.median(found) for name, found in rates.items()}
