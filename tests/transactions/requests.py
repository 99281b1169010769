"""Reversals that one member of staff has asked for, whatever the limit is."""

from django.test import override_settings

from fintech_core import clock
from transactions.enums import ApprovalKind
from transactions.models import Transaction, Undoing
from transactions.services.undoing_by_staff import undo
from users.models import User


def asked_for(original: Transaction, maker: User, *, book_shortfall: bool = False) -> Undoing:
    """Ask for a reversal as if it were above what one person decides."""
    with override_settings(SECOND_PERSON_ABOVE={}):
        request = undo(
            kind=ApprovalKind.REVERSAL, transaction_id=original.pk, actor=maker, reason="Case 4711",
            book_shortfall=book_shortfall, now=clock.now(),
        )  # fmt: skip
    assert isinstance(request, Undoing)
    return request
