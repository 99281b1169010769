"""What earlier verifications proved must still be there: each mark of ours names its last entry, hold and seal.

No run takes away rows or seals, and a new key only makes the next seals, so a mark that was true stays true. This is
asked by every verification, and reads next to nothing while all is well. Whoever takes the marks away, too, takes this
proof with them: heads that are published elsewhere remain.
"""

from collections.abc import Iterator
from typing import Final

from django.db.models import Exists, Max, OuterRef

from transactions.models import LedgerEntry, LedgerSeal, VerificationMark
from transactions.sealing.chain import highest_hold
from transactions.verification import marks, seals
from transactions.verification.check import Broken, Rule

REACHED: Final = Rule(
    "proven_rows_are_there",
    "An earlier verification came further than the ledger goes now: the newest entries, holds or wallets were cut off.",
    "verification mark",
)
RULES: Final = (seals.PUBLISHED, REACHED)


def examine(using: str) -> Iterator[Broken]:
    """Yield what a mark of ours says and the database does not show any more."""
    yield from _seals(using)
    yield from _rows(using)


def _seals(using: str) -> Iterator[Broken]:
    """Yield each seal that was proven once and is gone, or is another one by now."""
    there = LedgerSeal.objects.filter(number=OuterRef("seal_number"), chain=OuterRef("seal_chain"))
    gone = VerificationMark.objects.using(using).filter(~Exists(there), seal_number__gt=0).order_by("id")
    told = set()
    for mark in gone.iterator():
        proven = (mark.seal_number, mark.seal_chain)
        if proven in told or not marks.is_ours(mark):
            continue
        told.add(proven)
        now = LedgerSeal.objects.using(using).filter(number=mark.seal_number).first()
        stored = "missing" if now is None else f"stored as {now.chain[:16]}…"
        detail = f"mark {mark.pk} proved it as {mark.seal_chain[:16]}… at {mark.checked_at}, {stored}"
        yield seals.PUBLISHED, str(mark.seal_number), detail


def _rows(using: str) -> Iterator[Broken]:
    """Yield the mark that came furthest beyond the last entry, and the one beyond the last hold or opening."""
    entry = LedgerEntry.objects.using(using).aggregate(last=Max("id"))["last"] or 0
    for column, last in (("through_entry", entry), ("through_hold", highest_hold(using=using))):
        beyond = VerificationMark.objects.using(using).filter(**{f"{column}__gt": last})
        mark = next((mark for mark in beyond.order_by(f"-{column}", "id") if marks.is_ours(mark)), None)
        if mark is not None:
            what = "entry" if column == "through_entry" else "hold or wallet"
            yield (
                REACHED,
                str(mark.pk),
                f"proved through {what} {getattr(mark, column)}, the last one is {last}",
            )
