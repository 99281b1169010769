"""What was learnt about an order, before it becomes money: pure values, and whether they may be believed."""

import re
from dataclasses import dataclass, field
from typing import Any, Final, Self

import structlog

from billers.models import BillPayment
from billers.providers.base import PurchaseResult
from fintech_core.outcomes import Outcome, ProviderError

log = structlog.get_logger(__name__)

NEVER_ARRIVED: Final = "not_attempted"
_PHONE = re.compile(r"(?:234|0)?([789][01][0-9]{8})")
# The vendor wants another reference before it looks at the order again.
NEW_REFERENCE: Final = frozenset({"likely_duplicate", "reference_refused"})


@dataclass(frozen=True, slots=True)
class Retry:
    """How to go on after an order that had no effect: when to send it again, and how often in all."""

    after_s: int
    sends: int = 3


# What is not listed here cannot be helped by sending again.
RETRIES: Final[dict[str, Retry]] = {
    "connect_failed": Retry(after_s=5),
    "not_processed": Retry(after_s=5),
    "reference_refused": Retry(after_s=1),
    "likely_duplicate": Retry(after_s=31),
    NEVER_ARRIVED: Retry(after_s=0, sends=2),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was learnt about an attempt: the vendor's answer, or what its absence means.

    ``result`` is there when the vendor spoke about this very order, whatever it said and whether it is believed.
    """

    outcome: Outcome
    code: str
    result: PurchaseResult | None = None
    is_not_found: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, result: PurchaseResult) -> Self:
        """Take over an answer about the order."""
        return cls(result.outcome, result.code, result, evidence=result.evidence)

    @classmethod
    def failed(cls, error: ProviderError) -> Self:
        """Take over what a failed call means."""
        return cls(error.outcome, error.code, evidence=error.evidence)

    @classmethod
    def not_found(cls) -> Self:
        """Say that the vendor does not know the reference, which alone means nothing yet."""
        return cls(Outcome.UNKNOWN, "not_found", is_not_found=True)


def believed(payment: BillPayment, reading: Reading) -> Reading:
    """Return the reading, or ``unknown`` where a delivery lacks its proof.

    That is the right amount, the token, and, where the vendor names a customer, ours.
    """
    result = reading.result
    if reading.outcome != Outcome.SUCCEEDED or result is None:
        return reading
    if result.amount != payment.amount:
        log.error("bill_amount_differs", payment_id=str(payment.pk))
        return Reading(Outcome.UNKNOWN, "amount_differs", result, evidence=reading.evidence)
    if result.customer_id and _plain(result.customer_id) != _plain(payment.customer_id):
        log.error("bill_customer_differs", payment_id=str(payment.pk))
        return Reading(Outcome.UNKNOWN, "customer_differs", result, evidence=reading.evidence)
    if payment.product.delivers_token and result.token is None:
        log.warning("bill_token_missing", payment_id=str(payment.pk))
        return Reading(Outcome.UNKNOWN, "token_missing", result, evidence=reading.evidence)
    return reading


def _plain(customer_id: str) -> str:
    """Return what names a customer however it is written; a Nigerian phone number is its last ten digits."""
    text = "".join(character for character in customer_id.lower() if character.isalnum())
    phone = _PHONE.fullmatch(text)
    return phone[1] if phone else text
