"""Going on where the last verification ended, and what a finding does: money out stops, and staff are told.

A process that dies while it verifies leaves no mark: the next goes on from the same place. Switch and events commit
together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from django.db import transaction

from notifications.services import publish
from transactions import switches
from transactions.models import LedgerSeal
from transactions.sealing.chain import complete_until, head
from transactions.sealing.publishing import Head
from transactions.verification import marks
from transactions.verification.incremental_queries import Since
from transactions.verification.report import Report
from transactions.verification.runner import Progress, verify


def verify_incrementally(
    *, with_seals: bool = False, published: Iterable[Head] = (), progress: Progress | None = None
) -> Report:
    """Verify what is new since the last mark, and leave the next one if all is well. Raises WatermarkStalled."""
    cut = complete_until()
    mark, note = marks.newest()
    last: LedgerSeal | None = head() if with_seals else None
    report = verify(
        progress=progress,
        with_seals=with_seals,
        published=published,
        since=None if mark is None else Since(mark.through_entry, mark.through_hold),
        proven_seal=marks.proven_seal(mark) if mark is not None and with_seals else None,
    )
    if report.balanced:
        marks.leave(cut=cut, report=report, before=mark, seal=last)
    since = (
        note if mark is None else f"Verified since entry {mark.through_entry}; before it, {mark.checked_at}."
    )
    return replace(report, notes=(*report.notes, since))


@transaction.atomic
def stop_money_out(broken: Mapping[str, int]) -> None:
    """Pause outgoing money and tell why; ``broken`` counts the findings by check."""
    switches.stop_money_out(actor=None, reason=f"verify_ledger: {', '.join(broken)}"[:500])
    for code, count in broken.items():
        payload = {"check": code, "detail": f"{count} found"}
        publish(type="ledger.invariant_broken", user_id=None, payload=payload)


def worse(broken: Mapping[str, int], known: Mapping[str, int]) -> dict[str, int]:
    """Return what is broken and was not known, or not so often: staff may let money out beside what they know."""
    return {code: count for code, count in broken.items() if count > known.get(code, 0)}
