"""The outcome as a table, as JSON and as a plot."""

import json
import platform
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.ground import ROOT
from bench.plan import FIGURES, Figure

RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.png"
PICTURE = f"![What each contender did in a second]({PLOT.name})"
_TABLES = re.compile(r"(<!-- results -->\n).*(<!-- end of results -->)", re.DOTALL)


@dataclass
class Outcome:
    """Everything that was found out."""

    rounds: int
    seconds: float
    figures: dict[str, float] = field(default_factory=dict)
    rates: dict[str, list[float]] = field(default_factory=dict)
    medians: dict[str, float] = field(default_factory=dict)
    measured_at: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    machine: str = field(
        default_factory=lambda: f"{_cores()} cores, {platform.system()} {platform.machine()}"
    )

    def met(self, figure: Figure) -> str:
        """Say whether a goal is reached, or that it was not measured."""
        if figure.key not in self.figures:
            return "not measured"
        return "yes" if figure.is_met(self.figures[figure.key]) else "no"


def write(outcome: Outcome) -> str:
    """Write results.json, the tables of the page and the plot; return the table of goals."""
    rounded = {name: round(value, 4) for name, value in outcome.figures.items()}
    facts = {**rounded, **{name: value for name, value in asdict(outcome).items() if name != "figures"}}
    RESULTS.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    told = f"{_conditions(outcome)}\n\n{goals(outcome)}\n\n{_rates(outcome)}\n\n{PICTURE}\n"
    PAGE.write_text(_TABLES.sub(lambda found: f"{found[1]}\n{told}\n{found[2]}", page), encoding="utf-8")
    _plot(outcome, PLOT)
    return goals(outcome)


def goals(outcome: Outcome) -> str:
    """Return the goals as a table, then what is no goal."""
    lines = ["| key | what | measured | goal | met |", "|---|---|--:|--:|---|"]
    for figure in FIGURES:
        value = outcome.figures.get(figure.key)
        told = "" if value is None else f"{value:,.2f}"
        sign = "≤" if figure.at_most else "≥"
        lines.append(
            f"| `{figure.key}` | {figure.what} | {told} | {sign} {figure.goal:g} | {outcome.met(figure)} |"
        )
    known = {figure.key for figure in FIGURES}
    lines += [
        f"| `{key}` | | {value:,.2f} | | |" for key, value in outcome.figures.items() if key not in known
    ]
    return "\n".join(lines)


def _conditions(outcome: Outcome) -> str:
    return (
        f"Measured at {outcome.measured_at} on {outcome.machine}: medians of {outcome.rounds} interleaved rounds of "
        f"{outcome.seconds:g} s, embedded PostgreSQL 18 over a Unix socket, `synchronous_commit=on`."
    )


def _rates(outcome: Outcome) -> str:
    lines = ["| contender | per second (median) | least … most |", "|---|--:|--:|"]
    for name, median in outcome.medians.items():
        found = outcome.rates[name]
        lines.append(f"| {name} | {median:,.0f} | {min(found):,.0f} … {max(found):,.0f} |")
    return "\n".join(lines)


def _plot(outcome: Outcome, path: Path) -> None:
    """Draw every contender's median with its least and most."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    names = list(outcome.medians)[::-1]
    values = [outcome.medians[name] for name in names]
    spread = [
        [outcome.medians[name] - min(outcome.rates[name]) for name in names],
        [max(outcome.rates[name]) - outcome.medians[name] for name in names],
    ]
    ours = ("transfer", "batch", "single", "one ", "own ", "http", "balance", "first")
    colours = ["#2a6f97" if name.startswith(ours) else "#a9b4bd" for name in names]
    figure, axes = pyplot.subplots(figsize=(9, 0.32 * len(names) + 1.2))
    axes.barh(names, values, xerr=spread, color=colours, ecolor="#33415c", capsize=2)
    axes.set_xscale("log")
    axes.set_xlabel("per second, logarithmic; blue is this code base")
    for position, value in enumerate(values):
        axes.text(value, position, f" {value:,.0f}", va="bottom", fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _cores() -> int:
    import os

    return os.cpu_count() or 0
