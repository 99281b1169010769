"""Whether what proves the ledger is up to date.

Snapshots, seals and the running verification wait for the watermark, so one transaction that somebody left open (a
forgotten session, a prepared one) holds back all of them. Each of their runs then fails; this is where it is told.
"""

from typing import Final

from fintech_core import clock
from fintech_core.health import Report
from fintech_core.models import JobRun

# In seconds: several times as long as each job is from one run to the next.
LATE_AFTER_S: Final = {
    "transactions.take_balance_snapshots": 600.0,
    "transactions.seal_ledger": 600.0,
    "transactions.verify_ledger": 3_600.0,
}


def check_evidence() -> Report:
    """Report the age in seconds of each job's last run: not ok where it failed, or is late. None has not run yet."""
    now = clock.now()
    runs = {run.name: run for run in JobRun.objects.filter(name__in=LATE_AFTER_S)}
    ages: dict[str, float | None] = dict.fromkeys(LATE_AFTER_S)
    broken = []
    for name, run in runs.items():
        age_s = round((now - (run.finished_at or run.started_at)).total_seconds(), 1)
        ages[name] = age_s
        if run.outcome != "completed" or age_s > LATE_AFTER_S[name]:
            broken.append(name)
    return Report(not broken, {"age_s": ages, "failed_or_late": sorted(broken)})
