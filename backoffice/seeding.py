"""The people that a development system begins with. Never in production.

Each is made in one transaction, with the trail that a real one would have: an approved identity case, a PIN, a
funding. What is there already is left alone, so a second run costs a few reads.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from transactions.chart import gateway_clearing
from transactions.drafts import Source
from transactions.services import TransactionService
from users.models import User
from users.services import kyc, pins
from wallet.selectors import get_main_wallet

PASSWORD: Final = "demo-Password-1"  # noqa: S105  published on purpose, for development alone
PIN: Final = "5083"
STAFF_EMAIL: Final = "staff@example.com"
STAFF_PASSWORD: Final = "demo-Staff-1"  # noqa: S105  published on purpose, for development alone
FUNDS: Final = Decimal(50_000)
TIER: Final = 2


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody to sign in as."""

    email: str
    first_name: str
    last_name: str
    phone: str
    passport: str
    born: date


CUSTOMERS: Final = (
    Customer("ada@example.com", "Ada", "Obi", "+2348030000001", "A00000001", date(1990, 5, 1)),
    Customer("bola@example.com", "Bola", "Adeyemi", "+2348030000002", "A00000002", date(1988, 9, 17)),
)


def seed_demo(*, now: datetime) -> list[str]:
    """Make the demo people that are missing, and return their addresses.

    Raises ImproperlyConfigured in production.
    """
    if settings.PRODUCTION:
        raise ImproperlyConfigured("Demo people are never made in production: their passwords are published.")
    emails = [STAFF_EMAIL, *(customer.email for customer in CUSTOMERS)]
    known = {user.email: user for user in User.objects.filter(email__in=emails)}
    staff = known.get(STAFF_EMAIL) or User.objects.create_superuser(
        STAFF_EMAIL, STAFF_PASSWORD, first_name="Sade", last_name="Staff"
    )
    for customer in CUSTOMERS:
        if customer.email not in known:
            _make(customer, staff, now)
    return [email for email in emails if email not in known]


@transaction.atomic
def _make(customer: Customer, staff: User, now: datetime) -> None:
    """Make one customer: verified, of tier 2, with a PIN and money."""
    user = User.objects.create_user(
        customer.email,
        PASSWORD,
        first_name=customer.first_name,
        last_name=customer.last_name,
        phone=customer.phone,
        email_verified_at=now,
        phone_verified_at=now,
    )
    pins.set_pin(user=user, pin=PIN, password=PASSWORD, current_pin=None, now=now)
    case = kyc.submit(
        user=user,
        tier=TIER,
        document_type="passport",
        document_number=customer.passport,
        date_of_birth=customer.born,
        address="1 Broad Street, Lagos",
        now=now,
    )
    kyc.approve(case_id=case.pk, actor=staff, reason="Demonstration", now=now)
    # Booked as if Paystack had collected it. The sandbox's own book knows nothing of it: it may be wiped.
    TransactionService.add_money(
        wallet=get_main_wallet(user_id=user.pk, currency=settings.DEFAULT_CURRENCY),
        amount=FUNDS,
        source_account=gateway_clearing("paystack"),
        source=Source("demo_seed", user.pk),
        now=now,
    )
