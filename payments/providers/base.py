"""What a gateway is asked and may answer. Adapters import this and no models.

Amounts are ``Decimal`` in major units of their currency; a vendor's own unit exists only inside its adapter. Calls
raise ``outcomes.ProviderError``: ``declined`` is a documented, definite refusal, ``not_sent`` means that nothing was
written, everything that is not understood is ``unknown``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from fintech_core.outcomes import Outcome

# The code of the ``unknown`` that says: this reference exists already, so its link was lost.
DUPLICATE_REFERENCE: Final = "duplicate_reference"


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """One checkout to start. ``reference`` is ours and belongs to this attempt alone."""

    reference: str
    amount: Decimal
    currency: str
    email: str
    callback_url: str
    intent_id: str

    def __repr__(self) -> str:
        return f"CheckoutRequest({self.reference})"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A started checkout: where the customer pays."""

    reference: str
    url: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VendorPayment:
    """Money the gateway received. ``amount`` is what the wallet may get, ``charged`` what the payer was charged."""

    id: str
    amount: Decimal
    charged: Decimal
    currency: str
    paid_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reading:
    """How a checkout stands: ``succeeded``, ``pending``, ``declined`` or ``reversed``.

    ``code`` is the vendor's own word, ``in_progress`` says that a payment is under way, ``payment`` is there exactly
    when it succeeded, ``evidence`` is safe to store and to show to staff.
    """

    outcome: Outcome
    reference: str
    code: str
    in_progress: bool = False
    payment: VendorPayment | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParsedWebhook:
    """What a webhook says it is about. ``subject`` is our reference, or empty when it names none."""

    family: str
    type: str
    subject: str
    dedupe_key: str


class Collector(Protocol):
    """Takes money from customers for us."""

    def initialize(self, request: CheckoutRequest, *, deadline_s: float) -> Checkout:
        """Start a checkout; raises ProviderError, ``unknown`` with DUPLICATE_REFERENCE when it was started before."""

    def fetch(self, reference: str, *, deadline_s: float) -> Reading | None:
        """Ask about a checkout by our reference; None when the vendor does not know it. Raises ProviderError."""

    def redact(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of the vendor's data may be stored in clear and shown to staff."""


class WebhookSource(Protocol):
    """Sends us webhooks."""

    def verify(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        """Say whether the bytes are the vendor's, in constant time. Header names are lower-case."""

    def parse(self, raw: bytes, *, received_at: datetime) -> ParsedWebhook:
        """Name the event; never raises, since whatever is signed is stored."""


class Gateway(Collector, WebhookSource, Protocol):
    """A vendor that does both."""
