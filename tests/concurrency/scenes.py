"""Two people with some money and much that is not over yet, and everything that may be done to them next.

A scene is made anew for each game. Its ``fingerprint`` names people, wallets and movements by what they are, so two
scenes in which the same happened are equal.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from cashback.services import redeem
from fintech_core import clock
from tests.concurrency.racing import NOTHING, credit, hold, send, settle, void
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import main_wallet
from tests.transactions.story import bill_draft, happened, settlement
from transactions.drafts import Authorize
from transactions.models import ParkedCredit, Transaction
from transactions.services import TransactionService, bulk
from transactions.services.bulk_items import BulkItem
from transactions.services.conversions import convert, quote_conversion
from transactions.services.expiry import expire_holds
from transactions.services.releasing import release
from users.models import User
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet, freeze_wallet, open_wallet, unfreeze_wallet

_WALLETS = """
    SELECT owner_id, kind || currency, balance, held, status, version, spent_today, spent_this_month FROM wallet_wallet
    WHERE owner_id = ANY(%s)"""
_LINES = """
    SELECT w.owner_id, w.kind || w.currency, e.wallet_version, t.type, e.direction, e.amount, e.wallet_balance_after
    FROM transactions_ledgerentry e JOIN wallet_wallet w ON w.id = e.wallet_id
    JOIN transactions_transaction t ON t.id = e.transaction_id WHERE w.owner_id = ANY(%s)"""
_MOVEMENTS = """
    SELECT type, status, amount, fee, hold_amount, from_user_id, to_user_id, failure_code, reverses_id IS NULL,
           refund_of_id IS NULL
    FROM transactions_transaction WHERE from_user_id = ANY(%s) OR to_user_id = ANY(%s)"""
_BESIDE = """
    SELECT 'parked', owner_id, status FROM transactions_parkedcredit WHERE owner_id = ANY(%s)
    UNION ALL SELECT 'reward', user_id, status FROM cashback_reward WHERE user_id = ANY(%s)
    UNION ALL SELECT 'event', user_id, type FROM notifications_event WHERE user_id = ANY(%s)
    UNION ALL SELECT 'item', b.sender_id, i.status || i.failure_code FROM transactions_bulktransferitem i
    JOIN transactions_bulktransfer b ON b.id = i.bulk_id WHERE b.sender_id = ANY(%s)
    UNION ALL SELECT 'audit', NULL, action FROM fintech_core_auditrecord WHERE actor_id = %s"""


class Scene:
    """Ada has ₦170 of which ₦40 are held (the time of that is over), ₦20 of cashback and ₦25 parked; Chidi has ₦130,
    ₦30 of it from Ada. She has the quote of a conversion in hand, and a bulk of two transfers not worked off.
    """

    def __init__(self) -> None:
        expire_holds(now=clock.now())  # what the scene before has left
        self.staff: User = StaffFactory()
        self.ada: User = UserFactory()
        self.chidi: User = UserFactory()
        self.adas, self.chidis = main_wallet(self.ada), main_wallet(self.chidi)
        self.payment = uuid4()
        credit(self.adas, "2200.00", uuid4())
        credit(self.chidis, "100.00", uuid4())
        self.reward = ensure_cashback_wallet(user_id=self.ada.pk, currency="NGN")
        settle(hold(self.adas, "2000.00"), self.adas, self.reward)
        self.sent = send(self.adas, self.chidis, "30.00")
        draft = replace(bill_draft(self.adas, "40.00"), expires_at=clock.now())
        self.held = happened(Authorize(draft))
        self.freeze(self.adas)
        credit(self.adas, "25.00", uuid4())
        self.unfreeze(self.adas)
        self.parked: UUID = ParkedCredit.objects.get(owner=self.ada).pk
        open_wallet(user=self.ada, currency="USD")
        self.quote: UUID = quote_conversion(
            user=self.ada, from_currency="NGN", to_currency="USD", amount=Decimal("95.00"), now=clock.now()
        ).pk
        items = [BulkItem(self.chidi.email, Decimal(amount)) for amount in ("60.00", "80.00")]
        self.bulk: UUID = bulk.accept(sender=self.ada, currency="NGN", items=items, now=clock.now()).pk

    def freeze(self, wallet: Wallet, status: str = "frozen") -> None:
        freeze_wallet(wallet_id=wallet.pk, actor=self.staff, reason="alert", status=status)

    def unfreeze(self, wallet: Wallet) -> None:
        unfreeze_wallet(wallet_id=wallet.pk, actor=self.staff, reason="cleared")

    @transaction.atomic
    def reverse(self) -> None:
        sent = Transaction.objects.get(pk=self.sent.pk)
        TransactionService.reverse(sent, actor=self.staff, reason="sent in error", now=clock.now())

    @transaction.atomic
    def refund(self, amount: str | None) -> None:
        sent = Transaction.objects.get(pk=self.sent.pk)
        value = None if amount is None else Decimal(amount)
        TransactionService.refund(sent, amount=value, actor=self.staff, reason="half of it", now=clock.now())

    @transaction.atomic
    def capture_half(self) -> None:
        operation = settlement(self.held, self.adas, Decimal("15.00"), NOTHING, NOTHING)
        TransactionService.apply([operation], now=clock.now())

    def fingerprint(self) -> dict[str, Any]:
        """Return what the tables say of both, without ids and times."""
        both = [self.ada.pk, self.chidi.pk]
        names = {self.ada.pk: "Ada", self.chidi.pk: "Chidi", None: None}
        wallets = {(names[owner], kind): facts for owner, kind, *facts in _rows(_WALLETS, both)}
        lines = sorted((names[owner], *facts) for owner, *facts in _rows(_LINES, both))
        movements = Counter(
            (*facts[:5], names.get(facts[5]), names.get(facts[6]), *facts[7:])
            for facts in _rows(_MOVEMENTS, both, both)
        )
        beside = Counter(
            (what, names.get(who), status)
            for what, who, status in _rows(_BESIDE, both, both, both, both, self.staff.pk)
        )
        return {"wallets": wallets, "lines": lines, "movements": movements, "beside": beside}


def _rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


@transaction.atomic
def _sweep_carelessly(scene: Scene) -> None:
    """Send all that Ada has, as it was read before the lock: the mistake that the games are there to find."""
    wallet = main_wallet(scene.ada)
    TransactionService.transfer_money(
        sender=wallet, recipient=scene.chidis, amount=wallet.available, now=clock.now()
    )


def _release(scene: Scene) -> None:
    release(parked_credit_id=scene.parked)


def _redeem(scene: Scene) -> None:
    redeem(user=scene.ada, amount=None, currency="NGN", now=clock.now())


OPERATIONS: dict[str, Callable[[Scene], object]] = {
    "Ada sends 100": lambda scene: send(scene.adas, scene.chidis, "100.00"),
    "Chidi sends 110": lambda scene: send(scene.chidis, scene.adas, "110.00"),
    "a payment of 50": lambda scene: credit(scene.adas, "50.00", scene.payment),
    "a hold of 90": lambda scene: hold(scene.adas, "90.00"),
    "a capture": lambda scene: settle(scene.held, scene.adas),
    "half a capture": lambda scene: scene.capture_half(),
    "a settlement with cashback": lambda scene: settle(scene.held, scene.adas, scene.reward),
    "a void": lambda scene: void(scene.held),
    "a reversal": lambda scene: scene.reverse(),
    "a refund of 20": lambda scene: scene.refund("20.00"),
    "a refund of all": lambda scene: scene.refund(None),
    "an expiry": lambda _scene: expire_holds(now=clock.now()),
    "a conversion": lambda scene: convert(user=scene.ada, quote_id=scene.quote, now=clock.now()),
    "a bulk": lambda scene: bulk.work_off_chunk(bulk_id=scene.bulk, now=clock.now()),
    "a freeze": lambda scene: scene.freeze(scene.adas),
    "a freeze of Chidi": lambda scene: scene.freeze(scene.chidis),
    "a redemption": _redeem,
    "a release": _release,
}
CARELESS = _sweep_carelessly
