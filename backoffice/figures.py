"""The numbers on the dashboard: each with the permission it needs, remembered for a minute by the process.

A page that many people open must not add up the same tables each time; permissions are asked at every view.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import Count, Sum
from django.http import HttpRequest
from django.urls import reverse

from backoffice import queues
from fintech_core import clock
from fintech_core.ids import least_uuid7
from fintech_core.money import for_people
from notifications.health import check_outbox
from transactions import switches
from transactions.enums import TransactionStatus
from transactions.models import Transaction
from users.models import User
from wallet.models import Wallet

REMEMBERED_S: Final = 60.0
# A key is made before the row is stamped under its locks, so the key may be a little older than the day.
KEY_MARGIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One number and what it is of."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A card: its lines are computed by ``read`` and shown to whoever has ``permission``."""

    title: str
    icon: str
    permission: str
    page: str
    read: Callable[[], list[Line]]
    query: str = ""


class _Memory:
    """What each figure was at its last reading."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, list[Line]]] = {}

    def lines(self, figure: Figure) -> list[Line]:
        with self._lock:
            read_at, lines = self._known.get(figure.title, (float("-inf"), []))
            if time.monotonic() - read_at > REMEMBERED_S:
                lines = figure.read()
                self._known[figure.title] = (time.monotonic(), lines)
            return lines

    def forget(self) -> None:
        with self._lock:
            self._known.clear()


_memory = _Memory()


def forget() -> None:
    """Read every figure anew at the next view."""
    _memory.forget()


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the dashboard what this person may see."""
    cards = [
        {
            "title": figure.title,
            "icon": figure.icon,
            "address": f"{reverse(f'admin:{figure.page}_changelist')}{figure.query}",
            "lines": _memory.lines(figure),
        }
        for figure in FIGURES
        if request.user.has_perm(figure.permission)
    ]
    stopped = request.user.has_perm("transactions.view_transaction") and switches.is_money_out_stopped()
    return {**context, "cards": cards, "money_out_stopped": stopped}


def _customers() -> list[Line]:
    tiers = dict(User.objects.filter(is_staff=False).values_list("kyc_tier").annotate(Count("pk")))
    verified = sum(count for tier, count in tiers.items() if tier)
    return [Line(f"{sum(tiers.values()):,}", "customers"), Line(f"{verified:,}", "verified")]


def _wallets() -> list[Line]:
    sums = (
        Wallet.objects.values("currency")
        .annotate(total=Sum("balance"))
        .filter(total__gt=0)
        .order_by("currency")
    )
    lines = [Line(for_people(row["total"], row["currency"]), "in wallets") for row in sums]
    return lines or [Line("0.00", "in wallets")]


def _holds() -> list[Line]:
    pending = (
        Transaction.objects.filter(status=TransactionStatus.PENDING)
        .values("currency")
        .annotate(total=Sum("hold_amount"), count=Count("pk"))
        .order_by("currency")
    )
    lines = [Line(for_people(row["total"], row["currency"]), f"in {row['count']:,} holds") for row in pending]
    return lines or [Line("0", "pending holds")]


def _today() -> list[Line]:
    start = clock.start_of_day(clock.business_day(clock.now()))
    counts: dict[str, int] = dict(
        Transaction.objects.filter(pk__gte=least_uuid7(start - KEY_MARGIN), created_at__gte=start)
        .values_list("status")
        .annotate(Count("pk"))
    )
    failed = counts.get(TransactionStatus.FAILED, 0) + counts.get(TransactionStatus.CANCELLED, 0)
    return [Line(f"{sum(counts.values()):,}", "transactions today"), Line(f"{failed:,}", "of them failed")]


def _outbox() -> list[Line]:
    detail = check_outbox().detail
    return [
        Line(f"{detail['oldest_unrelayed_s']:,.0f} s", "oldest event waits"),
        Line(f"{detail['parked']:,}", "given up"),
    ]


def _kyc() -> list[Line]:
    return [Line(f"{queues.OPEN_KYC.count():,}", "wait for a decision")]


FIGURES: Final = (
    Figure("Customers", "group", "users.view_user", "users_user", _customers),
    Figure("Wallets", "account_balance_wallet", "wallet.view_wallet", "wallet_wallet", _wallets),
    Figure("Transactions", "swap_horiz", "transactions.view_transaction", "transactions_transaction", _today),
    Figure(
        "Holds",
        "hourglass_top",
        "transactions.view_transaction",
        "transactions_transaction",
        _holds,
        f"?status__exact={TransactionStatus.PENDING.value}",
    ),
    Figure(
        "Identity checks", "badge", "users.view_kyccase", "users_kyccase", _kyc, f"?{queues.OPEN_KYC.query}"
    ),
    Figure("Outbox", "rss_feed", "notifications.view_event", "notifications_event", _outbox),
)
