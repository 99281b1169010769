"""A vendor of bills to test against: the sandbox process with settings that point at it, and a customer who pays."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import time_machine
from django.utils import timezone
from django_redis import get_redis_connection
from pytest_django import Settings

from billers import services, tasks
from billers.models import BillAttempt, BillPayment
from billers.services import settlement
from billers.services.readings import Reading
from cashback.models import Campaign, Reward
from fintech_core import lua
from fintech_core.outcomes import Outcome
from notifications.models import Event
from tests.factories import UserFactory
from tests.sandbox.actors import Merchant, SandboxProcess
from tests.transactions.money import fund, main_wallet
from transactions.models import LedgerEntry, Transaction
from users.models import User
from wallet.models import Wallet

DELIVERED, POSTPAID, PENDING = "1111111111111", "1010101010101", "201000000000"
ANSWER_LOST, NEVER_ARRIVED, BROKEN, REFUSED = "300000000000", "400000000000", "500000000000", "999000000000"


def close_circuit() -> None:
    """Forget what Redis knows of the vendor."""
    get_redis_connection("default").delete(
        lua.key("circuit", "{vtpass}", "window"), lua.key("circuit", "{vtpass}", "state")
    )


def age_circuit(seconds: int) -> None:
    """Let an open circuit be open for so many seconds longer."""
    state = lua.key("circuit", "{vtpass}", "state")
    redis = get_redis_connection("default")
    redis.hset(state, "opened_at", int(redis.hget(state, "opened_at")) - seconds)


@contextmanager
def vtpass(sandbox: SandboxProcess, settings: Settings) -> Iterator[Merchant]:
    """Point the settings at the sandbox, with an empty book and a closed circuit."""
    settings.VTPASS_BASE_URL = f"{sandbox.url}/vtpass/api"
    settings.VENDOR_READ_TIMEOUT_S = 2.0
    settings.RATE_LIMITS = False
    close_circuit()
    actor = Merchant(sandbox.url)
    with actor.http:
        actor.control("reset")
        yield actor
    close_circuit()


def payer(amount: str = "50000.00") -> User:
    """A customer of tier 1 with money."""
    user = UserFactory()
    fund(user, amount)
    return user


def order(**changes: Any) -> services.Order:
    facts: dict[str, Any] = {
        "biller": "ikeja-electric",
        "product": "prepaid",
        "customer_id": DELIVERED,
        "amount": Decimal("10000.00"),
        "currency": "NGN",
    }
    facts |= changes
    return services.Order(**{**facts, "amount": Decimal(facts["amount"])})


def new_payment(user: User | None = None, **changes: Any) -> BillPayment:
    """Commit T1 as the API does."""
    return services.pay_bill(user=user or payer(), order=order(**changes), now=timezone.now())


def work(payment: BillPayment, *, after_s: float = 0.0) -> BillPayment:
    """Let a worker take the payment, ``after_s`` from now by every clock of ours."""
    with time_machine.travel(timezone.now() + timedelta(seconds=after_s), tick=True):
        tasks.send(str(payment.pk))
    payment.refresh_from_db()
    return payment


def work_until_final(payment: BillPayment, *, at_most: int = 12) -> BillPayment:
    """Let workers take the payment whenever it is due, until it is final."""
    for _ in range(at_most):
        due = payment.next_check_at
        if due is None:
            break
        work(payment, after_s=(due - timezone.now()).total_seconds() + 0.1)
    return payment


def end_as(payment: BillPayment, code: str) -> BillPayment:
    """Let the vendor refuse a payment, as if a worker had been told so just now."""
    settlement.settle(
        attempt_id=attempt_of(payment).pk,
        lease_number=payment.lease_number,
        reading=Reading(Outcome.DECLINED, code),
        now=timezone.now(),
    )
    payment.refresh_from_db()
    return payment


def pays(vendor: Merchant) -> int:
    """Count the pay calls that reached the vendor."""
    return operations(vendor).count("pay")


def operations(vendor: Merchant) -> list[str]:
    """Name the calls that reached the vendor, oldest first."""
    seen = vendor.http.get("/_control/requests").json()["requests"]
    return [request["path"].rsplit("/", 1)[-1] for request in sorted(seen, key=lambda found: found["id"])]


def orders(vendor: Merchant) -> list[dict[str, Any]]:
    """Return the orders in the vendor's book."""
    return list(vendor.state()["vtpass"]["orders"])


def attempt_of(payment: BillPayment) -> BillAttempt:
    return BillAttempt.objects.filter(payment=payment).latest("number")


def wallet_of(user: User) -> tuple[Decimal, Decimal]:
    """Return balance and held."""
    wallet = main_wallet(user)
    return wallet.balance, wallet.held


def cashback_of(user: User) -> Decimal:
    wallet = Wallet.objects.filter(owner=user, kind="cashback", currency="NGN").first()
    return wallet.balance if wallet else Decimal(0)


def fingerprint() -> tuple[Any, ...]:
    """Return what a refusal must leave as it was."""
    return (
        LedgerEntry.objects.count(),
        sorted(Transaction.objects.values_list("pk", "status")),
        sorted(Wallet.objects.exclude(kind="cashback").values_list("pk", "balance", "held", "spent_today")),
        sorted(BillPayment.objects.values_list("pk", "status")),
        sorted(BillAttempt.objects.values_list("pk", "state")),
        sorted(Campaign.objects.values_list("pk", "spent")),
        sorted(Reward.objects.values_list("pk", "status")),
        Event.objects.count(),
    )
