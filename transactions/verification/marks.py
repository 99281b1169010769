"""Marks: how far a verification came, so that the next one may go on from there."""

from typing import Final

from transactions.models import LedgerSeal, VerificationMark
from transactions.sealing import canonical
from transactions.sealing.chain import Cut, UnknownKey, chain_of, current_key, has_mac, mac_of
from transactions.verification.report import Report

NOTE_FIRST: Final = "There is no mark to go on from: everything was verified."
NOTE_FOREIGN: Final = "The last mark is not ours, and was not believed: everything was verified."


def newest() -> tuple[VerificationMark | None, str]:
    """Return the newest mark, if it is ours, and otherwise a note why there is none."""
    mark = VerificationMark.objects.order_by("-id").first()
    if mark is None:
        return None, NOTE_FIRST
    return (mark, "") if is_ours(mark) else (None, NOTE_FOREIGN)


def is_ours(mark: VerificationMark) -> bool:
    """Say whether we wrote the mark, under a key that is in SEAL_KEYS."""
    try:
        return has_mac(_facts(mark), mark.key_id, mark.mac)
    except UnknownKey:
        return False


def leave(*, cut: Cut, report: Report, before: VerificationMark | None, seal: LedgerSeal | None) -> None:
    """Write down that everything up to the cut was proven; ``seal`` is the last one whose rows were.

    Raises ValueError when the report has findings: nothing was proven then.
    """
    if not report.balanced:
        raise ValueError("a report with findings proves nothing")
    proven = (seal.number, seal.chain) if seal is not None else (0, "")
    if seal is None and before is not None:
        proven = (before.seal_number, before.seal_chain)
    mark = VerificationMark(
        through_entry=cut.entry,
        through_hold=cut.hold,
        seal_number=proven[0],
        seal_chain=proven[1],
        checked_at=report.checked_at,
        key_id=current_key(),
    )
    mark.mac = mac_of(_facts(mark), mark.key_id)
    mark.save(force_insert=True)


def proven_seal(mark: VerificationMark) -> LedgerSeal | None:
    """Return the seal that the mark names; None when it names none, or one that is gone, which ``proven`` reports."""
    return LedgerSeal.objects.filter(number=mark.seal_number, chain=mark.seal_chain).first()


def _facts(mark: VerificationMark) -> str:
    return chain_of(canonical.line("mark", [getattr(mark, name) for name in canonical.MARK]))
