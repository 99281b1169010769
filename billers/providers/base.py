"""What a vendor of bills is asked and may answer. Adapters import this and no models.

Amounts are in major units (naira). Every call raises ``outcomes.ProviderError`` when it did not answer what was
asked: ``declined`` is a documented, definite refusal, ``not_sent`` means that the call had no effect, and everything
that is not understood is ``unknown``.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from fintech_core.outcomes import Outcome


@dataclass(frozen=True, slots=True, repr=False)
class CustomerQuestion:
    """Who is behind this number? ``variation_code`` names the product where the number alone does not."""

    service_id: str
    variation_code: str
    customer_id: str
    category: str


@dataclass(frozen=True, slots=True, repr=False)
class Customer:
    """Who the vendor says it is, and what may be paid."""

    name: str
    address: str = ""
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    current_product: str = ""
    renewal_amount: Decimal | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class PurchaseRequest:
    """One order. ``reference`` is ours and the same in every repetition of this order."""

    reference: str
    service_id: str
    variation_code: str
    customer_id: str
    amount: Decimal
    phone: str
    category: str
    subscription: str = ""

    def __repr__(self) -> str:
        return f"PurchaseRequest({self.reference})"


@dataclass(frozen=True, slots=True)
class PurchaseResult:
    """How an order stands: ``succeeded``, ``pending`` or ``reversed``.

    ``customer_id`` is whom it was bought for, empty where the vendor did not say; ``amount`` is what was bought,
    ``cost`` what left our balance at the vendor; None where the vendor did not say.
    ``token`` has digits only. ``evidence`` is safe to store and to show to staff.
    """

    outcome: Outcome
    reference: str
    code: str
    vendor_id: str = ""
    customer_id: str = ""
    amount: Decimal | None = None
    cost: Decimal | None = None
    commission: Decimal | None = None
    token: str | None = None
    units: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"PurchaseResult({self.reference}, {self.outcome}, {self.code})"


class BillProvider(Protocol):
    """One vendor of bills, which is paid in ``currency``."""

    name: str
    currency: str

    def validate(self, question: CustomerQuestion, *, deadline_s: float) -> Customer:
        """Return who the customer is; ``declined`` with ``customer_not_found`` when there is none."""

    def new_reference(self, now: datetime) -> str:
        """Make a reference for an order that is sent now."""

    def reference_expired(self, reference: str, now: datetime) -> bool:
        """Say whether the vendor would refuse this reference for an order sent now."""

    def purchase(self, request: PurchaseRequest) -> PurchaseResult:
        """Place an order, once."""

    def query(self, reference: str) -> PurchaseResult | None:
        """Ask how an order stands; None when the vendor knows no such reference (yet).

        Here ``not_sent`` is the vendor's own word that it did not carry the order out. A question that did not
        reach the vendor is ``unknown``: it says nothing about the order.
        """

    def redact(self, body: Any) -> Any:
        """Return a body of this wire without tokens and without what identifies a person."""
