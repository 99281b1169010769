"""Whether what proves the ledger is up to date.

Snapshots, seals and the running verification wait for the watermark, so one transaction that somebody left open (a
forgotten session, a prepared one) holds back all of them. Each of their runs then fails; this is where it is told.
"""

from datetime import timedelta
from typing import Final

from fintech_core import clock
from fintech_core.health import Report
from fintech_core.models import JobRun

# Several times as long as each job is from one run to the next.
LATE_AFTER: Final = {
    "transactions.take_balance_snapshots": timedelta(minutes=10),
    "transactions.seal_ledger": timedelta(minutes=10),
    "transactions.verify_ledger": timedelta(hours=1),
}


def check_evidence() -> Report:
    """Report the age in seconds of each job's last run: not ok where it failed, or is late. None has not run yet."""
    now = clock.now()
    ages: dict[str, int | None] = dict.fromkeys(LATE_AFTER)
    broken = []
    for run in JobRun.objects.filter(name__in=LATE_AFTER).order_by("name"):
        age = now - (run.finished_at or run.started_at)
        ages[run.name] = age // timedelta(seconds=1)
        if run.outcome != "completed" or age > LATE_AFTER[run.name]:
            broken.append(run.name)
    return Report(not broken, {"age_s": ages, "failed_or_late": broken})
