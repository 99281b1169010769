"""Open work that waits for a person: what counts, and the filter that shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from billers.models import BillPayment
from fintech_core.models import ApprovalRequest, ApprovalStatus
from transactions.enums import ParkedCreditStatus
from transactions.models import Adjustment, ParkedCredit, Undoing
from users.enums import KycStatus
from users.models import KycCase

MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Queue:
    """``query`` is the list's query string; ``count`` stops at ``MOST_COUNTED``."""

    query: str
    count: Callable[[], int]


def _open_kyc() -> int:
    return KycCase.objects.filter(status=KycStatus.IN_REVIEW)[:MOST_COUNTED].count()


def _bills_to_review() -> int:
    return BillPayment.objects.filter(needs_review=True)[:MOST_COUNTED].count()


def _parked_credits() -> int:
    return ParkedCredit.objects.filter(status=ParkedCreditStatus.PARKED)[:MOST_COUNTED].count()


def _undecided(kind: type[ApprovalRequest]) -> Queue:
    """Make the queue of one kind of request that somebody else has to decide."""
    undecided = kind._default_manager.filter(status=ApprovalStatus.PENDING)
    return Queue(
        urlencode({"status__exact": ApprovalStatus.PENDING.value}), lambda: undecided[:MOST_COUNTED].count()
    )


OPEN_KYC = Queue(urlencode({"status__exact": KycStatus.IN_REVIEW.value}), _open_kyc)
BILLS_TO_REVIEW = Queue(urlencode({"needs_review__exact": 1}), _bills_to_review)
PARKED_CREDITS = Queue(urlencode({"status__exact": ParkedCreditStatus.PARKED.value}), _parked_credits)
OPEN_ADJUSTMENTS, OPEN_UNDOINGS = _undecided(Adjustment), _undecided(Undoing)
