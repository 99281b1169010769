"""VTpass's response codes and inner statuses, and what each means for money.

Source: VTpass's page of response codes (checked 2026-11-20). ``000`` says only that the call was processed: the order
stands in ``content.transactions.status``. A code that is not listed here is unknown, and so is one that is listed for
another operation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fintech_core.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means after one operation; ``alarm`` when somebody here has to act."""

    outcome: Outcome
    code: str
    alarm: bool = False


_D, _N, _P, _U = Outcome.DECLINED, Outcome.NOT_SENT, Outcome.PENDING, Outcome.UNKNOWN

# Look inside: the order's own status decides.
PROCESSED: Final = frozenset({"000", "001"})
NOT_FOUND: Final = "015"

_ACCOUNT: Final = ("021", "022", "023", "024", "027", "028", "087")

AFTER_PAY: Final[Mapping[str, Meaning]] = {
    "010": Meaning(_D, "product_unknown", alarm=True),
    "011": Meaning(_D, "invalid_request", alarm=True),
    "012": Meaning(_D, "product_unknown", alarm=True),
    "013": Meaning(_D, "amount_too_small"),
    "014": Meaning(_P, "reference_seen"),
    "016": Meaning(_D, "refused"),
    "017": Meaning(_D, "amount_too_large"),
    "018": Meaning(_N, "float_empty", alarm=True),
    "019": Meaning(_N, "likely_duplicate"),
    **{code: Meaning(_N, "account_refused", alarm=True) for code in _ACCOUNT},
    "025": Meaning(_D, "invalid_request"),
    "026": Meaning(_D, "invalid_request"),
    "030": Meaning(_U, "biller_unreachable"),
    "031": Meaning(_D, "invalid_request"),
    "032": Meaning(_D, "invalid_request"),
    "034": Meaning(_N, "service_suspended", alarm=True),
    "035": Meaning(_N, "service_suspended", alarm=True),
    "040": Meaning(Outcome.REVERSED, "reversed"),
    "044": Meaning(_U, "resolved_by_hand", alarm=True),
    "083": Meaning(_U, "system_error"),
    "085": Meaning(_N, "reference_refused", alarm=True),
    "086": Meaning(_N, "reference_refused", alarm=True),
    "089": Meaning(_P, "processing"),
    "091": Meaning(_N, "not_processed"),
    "099": Meaning(_P, "processing"),
}

# A requery that is refused because of our account or balance says nothing about the order.
AFTER_REQUERY: Final[Mapping[str, Meaning]] = {
    "016": Meaning(_D, "refused"),
    **{code: Meaning(_U, "account_refused", alarm=True) for code in _ACCOUNT},
    "011": Meaning(_U, "invalid_request", alarm=True),
    "030": Meaning(_U, "biller_unreachable"),
    "040": Meaning(Outcome.REVERSED, "reversed"),
    "044": Meaning(_U, "resolved_by_hand", alarm=True),
    "083": Meaning(_U, "system_error"),
    "089": Meaning(_P, "processing"),
    "091": Meaning(_N, "not_processed"),
    "099": Meaning(_P, "processing"),
}

AFTER_VERIFY: Final[Mapping[str, Meaning]] = {
    "011": Meaning(_U, "invalid_request", alarm=True),
    "012": Meaning(_U, "product_unknown", alarm=True),
    "030": Meaning(_U, "biller_unreachable"),
    **{code: Meaning(_U, "account_refused", alarm=True) for code in _ACCOUNT},
}

INNER: Final[Mapping[str, Meaning]] = {
    "initiated": Meaning(_P, "initiated"),
    "pending": Meaning(_P, "pending"),
    "delivered": Meaning(Outcome.SUCCEEDED, "delivered"),
    "failed": Meaning(_D, "refused"),
    "reversed": Meaning(Outcome.REVERSED, "reversed"),
    "resolved": Meaning(_U, "resolved_by_hand", alarm=True),
}


# What these conclude releases the customer's money, so nothing else in the answer may speak against them.
_GIVES_BACK: Final = frozenset({Outcome.DECLINED, Outcome.NOT_SENT, Outcome.REVERSED})


def meaning_of(code: str, inner: str | None, table: Mapping[str, Meaning]) -> Meaning:
    """Return what an answer means; unlisted words and answers that contradict themselves are unknown.

    ``inner`` is the order's own status, None when the answer shows no order.
    """
    if code in PROCESSED:
        if inner is None:
            return Meaning(_P, "no_details")
        return INNER.get(inner, Meaning(_U, "unlisted_status", alarm=True))
    meaning = table.get(code)
    if meaning is None:
        return Meaning(_U, "unlisted_code", alarm=True)
    if meaning.outcome in _GIVES_BACK and inner is not None and inner not in {"failed", "reversed"}:
        return Meaning(_U, "contradiction", alarm=True)
    return meaning
