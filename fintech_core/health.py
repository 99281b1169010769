"""Health: checks that apps register in ``ready()``, run side by side within a limit.

``critical`` says whether the answer is 503 when the check fails. A check that hangs is reported as such; the
answer never waits for it.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import connection, connections
from django_redis import get_redis_connection

from fintech_core import circuit, clock
from fintech_core.celery import app
from fintech_core.models import JobRun

log = structlog.get_logger(__name__)

LIMIT_S: Final = 2.5
BROKER_LIMIT_S: Final = 1
HEARTBEAT_JOB: Final = "fintech_core.beat_heartbeat"
HEARTBEAT_MAX_AGE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Report:
    """What one check found; ``detail`` holds plain JSON values without secrets, hosts or personal data."""

    ok: bool
    detail: dict[str, Any] = field(default_factory=dict)


Check = Callable[[], Report]


@dataclass(frozen=True, slots=True)
class _Registered:
    check: Check
    critical: bool


_checks: dict[str, _Registered] = {}


def register(name: str, check: Check, critical: bool) -> None:
    """Add a check, or replace the one of this name. It runs in a thread with its own database connection."""
    _checks[name] = _Registered(check, critical)


def register_builtin() -> None:
    """Register the checks of the ground floor."""
    register("database", check_database, critical=True)
    register("cache", check_cache, critical=True)
    register("broker", check_broker, critical=True)
    register("worker", check_heartbeat, critical=True)
    register("beat", check_heartbeat, critical=True)
    register("vendors", check_vendors, critical=False)


def run(
    names: Iterable[str] | None = None, limit_s: float = LIMIT_S
) -> tuple[str, dict[str, dict[str, Any]]]:
    """Run the named checks (all unless named) and return the overall status and each report.

    The status is ``ok``, ``degraded`` (something that is not critical failed) or ``down``. Takes ``limit_s``
    at most.
    """
    chosen = {name: _checks[name] for name in (_checks if names is None else names)}
    found: dict[str, dict[str, Any]] = {}
    threads = [
        threading.Thread(target=_run_one, args=(name, registered, found), name=f"health-{name}", daemon=True)
        for name, registered in chosen.items()
    ]
    give_up = time.monotonic() + limit_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, give_up - time.monotonic()))
    late = {"ok": False, "detail": "no answer in time", "ms": round(limit_s * 1000)}
    reports = {
        name: {"critical": registered.critical, **found.get(name, late)}
        for name, registered in chosen.items()
    }
    failed = [report for report in reports.values() if not report["ok"]]
    if any(report["critical"] for report in failed):
        return "down", reports
    return ("degraded" if failed else "ok"), reports


def _run_one(name: str, registered: _Registered, found: dict[str, dict[str, Any]]) -> None:
    started = time.monotonic()
    try:
        report = registered.check()
    except Exception as error:  # whatever is down raises in its own way, and that is the finding
        log.warning("health_check_failed", check=name, error=type(error).__name__)
        report = Report(False, {"detail": f"failed with {type(error).__name__}"})
    finally:
        connections.close_all()
    found[name] = {"ok": report.ok, **report.detail, "ms": round((time.monotonic() - started) * 1000)}


def check_database() -> Report:
    """Ask PostgreSQL, and say whether the tables belong to another role than the one that uses them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user = pg_get_userbyid(relowner), current_setting('server_version')"
            " FROM pg_class WHERE oid = to_regclass(%s)",
            [JobRun._meta.db_table],
        )
        row = cursor.fetchone()
    if row is None:
        return Report(False, {"detail": "the tables do not exist: run migrate"})
    owns_tables, version = row
    return Report(True, {"version": version, "roles": "one" if owns_tables else "separate"})


def check_cache() -> Report:
    """Ask Redis."""
    return Report(bool(get_redis_connection("default").ping()))


def check_broker() -> Report:
    """Connect to Celery's broker."""
    with app.connection_for_write(connect_timeout=BROKER_LIMIT_S) as broker:
        broker.ensure_connection(max_retries=0, timeout=BROKER_LIMIT_S)
        return Report(bool(broker.connected))


def check_heartbeat() -> Report:
    """Look at the last heartbeat: beat rang for it and a worker ran it, so its age proves both."""
    run = JobRun.objects.filter(name=HEARTBEAT_JOB).first()
    if run is None or run.finished_at is None:
        return Report(False, {"detail": "no heartbeat yet"})
    age_s = heartbeat_age_s(run.finished_at, clock.now())
    return Report(age_s <= HEARTBEAT_MAX_AGE_S, {"heartbeat_age_s": age_s})


def check_vendors() -> Report:
    """Look at every vendor's circuit: one that is open is a finding, a slow one is only told."""
    statuses = circuit.look_at_all()
    return Report("down" not in statuses.values(), {"vendors": statuses})


def heartbeat_age_s(finished_at: datetime, now: datetime) -> float:
    """Return the seconds since the heartbeat, never negative: the row may come from a clock that is ahead."""
    return max(0.0, round((now - finished_at).total_seconds(), 1))
