"""Metrics for Prometheus: parts that apps register in ``ready()``, read when somebody asks for the page.

Every value is read from what all processes share, the database and Redis, at the moment of the scrape: it is the same
whichever process answers. What a process counts by itself is not here: there are several web processes and workers, a
scrape meets one of them by chance, and its counters would jump from process to process. That is true of request counts
and of the client library's own process and garbage collector metrics, and a count per request would cost the path of
money something; the proxy in front counts requests, the container's runtime counts memory.

The page is 200 whatever is down: a part that fails is left out, so that its series end instead of telling an old value,
and ``fintech_core_metrics_errors`` says so. With a 5xx Prometheus would keep nothing of the page and see only ``up 0``,
which is what a dead web process looks like.

A reading must never hurt what it watches. It runs in a thread with one connection of its own, one part after the other,
each in a read-only transaction with a limit of its own; the answer does not wait for what hangs. One reading runs at a
time in a process, and who asks meanwhile shares it. Counts stop at ``MOST_COUNTED``.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import structlog
from django.db import connection, connections, models, transaction
from django.db.models import Count, Min
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fintech_core import clock

log = structlog.get_logger(__name__)

LIMIT_S: Final = 5.0
GIVEN_UP_S: Final = 60.0
MOST_HUNG: Final = 2
PART_LIMIT_MS: Final = 1_000
MOST_COUNTED: Final = 10_000
OPENMETRICS: Final = "application/openmetrics-text"

# Amounts of money stay decimals until they become a sample, moments and durations keep their types.
Value = int | float | Decimal | datetime | timedelta


@dataclass(frozen=True, slots=True)
class Metric:
    """One gauge: its name without the prefix, what it tells, and its labels.

    No label names a person, or is called ``job`` or ``instance``, which Prometheus sets itself.
    """

    short: str
    tells: str
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name as Prometheus knows it."""
        return f"fintech_core_{self.short}"

    def sample(self, value: Value, *labels: str) -> "Sample":
        """Say what it is now; ``labels`` in the order in which the metric names them."""
        if len(labels) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {labels}")
        return Sample(self, labels, value)


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric: seconds for durations, seconds since 1970 for moments, major units for money."""

    metric: Metric
    labels: tuple[str, ...]
    value: Value


Read = Callable[[], Iterable[Sample]]


@dataclass(frozen=True, slots=True)
class Waits:
    """What the labels of ``WAITING`` and ``OLDEST`` stand for."""

    kind: str
    state: str
    tells: str


@dataclass(frozen=True, slots=True)
class Part:
    """What is read together, and left out together when it fails."""

    metrics: tuple[Metric, ...]
    read: Read
    in_database: bool = True
    waits: Waits | None = None


ERRORS: Final = Metric("metrics_errors", "1 where a part could not be read and is left out", ("part",))
WAITING: Final = Metric("waiting", f"Rows that wait, counted to {MOST_COUNTED:,} at most", ("kind", "state"))
OLDEST: Final = Metric(
    "waiting_oldest_seconds", "How long the oldest of them has waited, 0 when none does", ("kind", "state")
)
_parts: dict[str, Part] = {}


def register(name: str, read: Read, *metrics: Metric, in_database: bool = True) -> None:
    """Add a part, or replace the one of this name.

    ``read`` gives samples of the named metrics. It runs in a read-only transaction in which no statement takes longer
    than ``PART_LIMIT_MS`` and PostgreSQL prefers an index to reading a whole table; with ``in_database=False`` in none.
    """
    _parts[name] = Part(metrics, read, in_database)


def register_waiting(
    kind: str, state: str, tells: str, rows: Callable[[datetime], "models.QuerySet[Any]"], *, since: str
) -> None:
    """Add rows that wait for a job, a vendor or a person, ``since`` the moment that this column holds.

    ``rows`` is asked with the present moment. Give it the order of an index, if there is one that puts the oldest
    first: where more than ``MOST_COUNTED`` wait, only the first of them are looked at.
    """

    def read() -> Iterable[Sample]:
        now = clock.now()
        found = rows(now)[:MOST_COUNTED].aggregate(number=Count("pk"), oldest=Min(since))
        age = timedelta() if found["oldest"] is None else max(timedelta(), now - found["oldest"])
        return WAITING.sample(found["number"], kind, state), OLDEST.sample(age, kind, state)

    _parts[f"{kind}_{state}"] = Part((WAITING, OLDEST), read, waits=Waits(kind, state, tells))


def parts() -> dict[str, Part]:
    """Return every part by its name, in the order in which they are read."""
    return dict(_parts)


def declared() -> list[Metric]:
    """Return every metric that may stand on the page, by name."""
    return sorted(
        {ERRORS, *(one for part in _parts.values() for one in part.metrics)}, key=lambda one: one.name
    )


# Reading


class _Reading:
    """One round over all parts in a thread of its own; what it has found so far may be taken at any time."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._done = threading.Event()
        self._found: dict[str, list[Sample]] = {}

    def is_over(self) -> bool:
        """Say whether it has ended."""
        return self._done.is_set()

    def hangs(self) -> bool:
        """Say whether it waits for so long, on a connection that a proxy keeps alive, that another may begin."""
        return not self.is_over() and time.monotonic() - self._started > GIVEN_UP_S

    def start(self) -> None:
        threading.Thread(target=self._run, name="metrics", daemon=True).start()

    def found(self) -> dict[str, list[Sample]]:
        """Wait for the end of the round, to its limit, and return what was found; nothing of one that hangs."""
        left_s = self._started + LIMIT_S - time.monotonic()
        if left_s <= 0 and not self.is_over():
            return {}
        self._done.wait(max(0.0, left_s))
        return dict(self._found)

    def _run(self) -> None:
        try:
            for name, part in parts().items():
                if time.monotonic() - self._started > LIMIT_S:
                    break
                self._read(name, part)
        finally:
            try:
                connections.close_all()
            finally:
                self._done.set()

    def _read(self, name: str, part: Part) -> None:
        try:
            self._found[name] = read_part(part)
        # Whatever is down raises in its own way, and the page tells which part it was.
        except Exception as error:
            log.warning("metrics_part_failed", part=name, error=type(error).__name__)


class _Latest:
    """The reading that runs, shared by everybody who asks while it does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: _Reading | None = None
        self._hung: list[_Reading] = []

    def reading(self) -> _Reading:
        with self._lock:
            if self._reading is None or self._reading.is_over() or self._may_be_given_up(self._reading):
                fresh = _Reading()
                fresh.start()
                self._reading = fresh
            return self._reading

    def _may_be_given_up(self, reading: _Reading) -> bool:
        """Say whether to begin another beside one that hangs: each keeps a thread and a connection."""
        self._hung = [earlier for earlier in self._hung if not earlier.is_over()]
        if not reading.hangs() or len(self._hung) >= MOST_HUNG:
            return False
        self._hung.append(reading)
        return True


_latest = _Latest()


def read_part(part: Part) -> list[Sample]:
    """Read one part now, on this thread's connection; raises whatever is wrong."""
    if not part.in_database:
        return list(part.read())
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('transaction_read_only', 'on', true), set_config('enable_seqscan', 'off', true),"
                " set_config('jit', 'off', true), set_config('statement_timeout', %s, true)",
                [str(PART_LIMIT_MS)],
            )
        return list(part.read())


def collect() -> list[Sample]:
    """Read every part, for ``LIMIT_S`` at most, and say of each whether it failed."""
    try:
        found = _latest.reading().found()
    except RuntimeError:  # there is no thread to be had: the page says that nothing could be read
        log.warning("metrics_not_read")
        found = {}
    errors = [ERRORS.sample(name not in found, name) for name in _parts]
    return [*errors, *(sample for name in _parts for sample in found.get(name, ()))]


# The page


class _Page(Collector):
    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterable[GaugeMetricFamily]:
        families: dict[Metric, GaugeMetricFamily] = {}
        for sample in self._samples:
            metric = sample.metric
            family = families.setdefault(
                metric, GaugeMetricFamily(metric.name, metric.tells, labels=metric.labels)
            )
            family.add_metric(sample.labels, _number(sample.value))
        return families.values()


def page(accept: str) -> tuple[bytes, str]:
    """Return the page and its content type: OpenMetrics 1.0.0 for who asks for it, else the text format 0.0.4."""
    # The library would take any version from the header, and say that it is the answer's.
    asked = {offer.partition(";")[0].strip().lower() for offer in accept.split(",")}
    encode, content_type = choose_encoder(OPENMETRICS if OPENMETRICS in asked else "")
    return encode(_Page(collect())), content_type


def _number(value: Value) -> float:
    """Return what Prometheus stores: the one place where money becomes a float, to be looked at and never booked."""
    match value:
        case datetime():
            return value.timestamp()
        case timedelta():
            return value.total_seconds()
        case _:
            return float(value)
