"""Two people with some money and much that is not over yet, and everything that may be done to them next."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from cashback.services import redeem
from cashback.services.taking_back import take_back_for
from fintech_core import clock
from fintech_core.dry_run import rehearse
from fintech_core.idempotency import Answer, Scope, run
from tests.concurrency.fingerprints import fingerprint
from tests.concurrency.interleaving import Work
from tests.concurrency.racing import NOTHING, credit, hold, payment_draft, send, settle, void
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions.money import main_wallet
from tests.transactions.requests import asked_for
from tests.transactions.story import bill_draft, rewarded, settlement, transfer_draft
from transactions.chart import biller_float
from transactions.drafts import Authorize, Post, credit_account, debit_wallet
from transactions.enums import Direction
from transactions.models import ParkedCredit, Transaction
from transactions.services import TransactionService, bulk, months
from transactions.services.adjustments import book_adjustment, reject_adjustment, request_adjustment
from transactions.services.bulk_items import BulkItem
from transactions.services.conversions import convert, quote_conversion
from transactions.services.expiry import expire_holds
from transactions.services.releasing import release
from transactions.services.undoing_by_staff import book_undoing
from users.models import User
from wallet.enums import WalletStatus
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet, freeze_wallet, open_wallet, unfreeze_wallet

# Months are closed in a row and for good: from here on there is one for every game.
FIRST_MONTH = date(1000, 1, 1)


class Scene:
    """Ada has ₦170 of which ₦40 are held (the time of that is over); Chidi has ₦130, ₦30 of it from Ada.

    Every game needs a scene, so what few operations need is there once it is asked for.
    """

    @transaction.atomic
    def __init__(self) -> None:
        expire_holds(now=clock.now())  # what the scene before has left
        self.staff: User = StaffFactory()
        self.ada: User = UserFactory()
        self.chidi: User = UserFactory()
        self.adas, self.chidis = main_wallet(self.ada), main_wallet(self.chidi)
        self.payment, self.key = uuid4(), str(uuid4())
        *_, self.sent, self.held = TransactionService.apply(
            [
                Post(payment_draft(self.adas, "200.00", uuid4())),
                Post(payment_draft(self.chidis, "100.00", uuid4())),
                Post(transfer_draft(self.adas, self.chidis, "30.00")),
                Authorize(replace(bill_draft(self.adas, "40.00"), expires_at=clock.now())),
            ],
            now=clock.now(),
        )

    @property
    def people(self) -> list[UUID]:
        """Everybody whose wallets move."""
        return [person.pk for person in vars(self).values() if isinstance(person, User)]

    @cached_property
    def eze(self) -> User:
        """Somebody else who works here."""
        user: User = ManagerFactory()
        return user

    @cached_property
    def cashback(self) -> Wallet:
        """Ada's cashback wallet."""
        return ensure_cashback_wallet(user_id=self.ada.pk, currency="NGN")

    @cached_property
    @transaction.atomic
    def reward(self) -> Wallet:
        """Ada's cashback wallet with ₦20 in it, for a bill of Eze's that was reversed."""
        ezes, value = main_wallet(self.eze), Decimal(2000)
        legs = debit_wallet(ezes.pk, value, "NGN"), credit_account(biller_float("vtpass"), value, "NGN")
        paid = replace(bill_draft(ezes, "2000.00"), legs=legs)
        _, bill = TransactionService.post_many(
            [payment_draft(ezes, "2000.00", uuid4()), paid], now=clock.now()
        )
        TransactionService.apply(rewarded(bill, self.ada.pk, value), now=clock.now())
        self.reverse(bill)
        return self.cashback

    @cached_property
    @transaction.atomic
    def parked(self) -> UUID:
        """₦25 of Ada's that came while her wallet was frozen."""
        self.freeze(self.adas)
        credit(self.adas, "25.00", uuid4())
        self.unfreeze(self.adas)
        return ParkedCredit.objects.get(owner=self.ada).pk

    @cached_property
    @transaction.atomic
    def quote(self) -> UUID:
        """What Ada gets for ₦95 in dollars."""
        open_wallet(user=self.ada, currency="USD")
        return quote_conversion(
            user=self.ada, from_currency="NGN", to_currency="USD", amount=Decimal("95.00"), now=clock.now()
        ).pk

    @cached_property
    def bulk(self) -> UUID:
        """Two transfers of Ada's to Chidi that nobody has worked off."""
        items = self.items("60.00", "80.00")
        return bulk.accept(sender=self.ada, currency="NGN", items=items, now=clock.now()).pk

    @cached_property
    @transaction.atomic
    def frozen(self) -> Wallet:
        """Ada's wallet, which is frozen; what came when it was frozen before still waits, and what was asked for."""
        assert self.parked
        assert self.undoing
        self.freeze(self.adas)
        return self.adas

    @cached_property
    def correction(self) -> UUID:
        """What Eze has asked for and nobody has decided: ₦35 less for Ada."""
        return self.ask_for_less(effective_at=None)

    @cached_property
    def month(self) -> date:
        """The month that is closed next, each scene's own once the first was closed; Ada's wallet is as old."""
        last = months.last_closed()
        month = FIRST_MONTH if last is None else months.month_after(last)
        self.adas.created_at = clock.start_of_day(month)
        self.adas.save(update_fields=["created_at"])
        return month

    @cached_property
    def late_correction(self) -> UUID:
        """The same correction, dated back into the month that is closed next."""
        return self.ask_for_less(effective_at=clock.start_of_day(self.month) + timedelta(days=9))

    @cached_property
    def undoing(self) -> UUID:
        """What Eze has asked for and nobody has decided: that Chidi gives back what Ada sent."""
        return asked_for(self.sent, self.eze).pk

    def ask_for_less(self, *, effective_at: datetime | None) -> UUID:
        return request_adjustment(
            wallet=self.adas, direction=Direction.DEBIT, amount=Decimal("35.00"), reason="paid twice",
            effective_at=effective_at, maker=self.eze, now=clock.now(),
        ).pk  # fmt: skip

    def items(self, *amounts: str) -> list[BulkItem]:
        return [BulkItem(self.chidi.email, Decimal(amount)) for amount in amounts]

    def freeze(self, wallet: Wallet, status: str = WalletStatus.FROZEN) -> None:
        freeze_wallet(wallet_id=wallet.pk, actor=self.staff, reason="alert", status=status)

    def unfreeze(self, wallet: Wallet) -> None:
        unfreeze_wallet(wallet_id=wallet.pk, actor=self.staff, reason="cleared")

    @transaction.atomic
    def reverse(self, movement: Transaction, *, book_shortfall: bool = False) -> None:
        done = Transaction.objects.get(pk=movement.pk)
        TransactionService.reverse(
            done, actor=self.staff, reason="in error", book_shortfall=book_shortfall, now=clock.now()
        )

    @transaction.atomic
    def refund(self, amount: str | None, *, book_shortfall: bool = False) -> None:
        TransactionService.refund(
            Transaction.objects.get(pk=self.sent.pk), amount=None if amount is None else Decimal(amount),
            actor=self.staff, reason="half of it", book_shortfall=book_shortfall, now=clock.now(),
        )  # fmt: skip

    @transaction.atomic
    def capture_half(self) -> None:
        operation = settlement(self.held, self.adas, Decimal("15.00"), NOTHING, NOTHING)
        TransactionService.apply([operation], now=clock.now())

    def ask_under_a_key(self) -> None:
        scope = Scope.of(user_id=self.ada.pk, operation="games", key=self.key, body={})

        def answered() -> Answer:
            sent = send(self.adas, self.chidis, "100.00")
            return Answer(201, {}, document=("transaction", sent.pk))

        run(scope, answered)

    def send_in_a_group(self) -> None:
        """Send ₦100 with what others send, and alone if that cannot be."""
        with transaction.atomic():
            (sent,) = TransactionService.post_free(
                [transfer_draft(self.adas, self.chidis, "100.00")], now=clock.now()
            )
        if not isinstance(sent, Transaction):
            send(self.adas, self.chidis, "100.00")

    def rehearse(self) -> None:
        rehearse(lambda: send(self.adas, self.chidis, "100.00"), user_ids=[self.ada.pk])

    @transaction.atomic
    def send_all_carelessly(self) -> None:
        """Send all that Ada has, as it was read before the lock: the mistake that the games are there to find."""
        wallet = main_wallet(self.ada)
        TransactionService.transfer_money(
            sender=wallet, recipient=self.chidis, amount=wallet.available, now=clock.now()
        )

    def fingerprint(self) -> dict[str, Any]:
        """Return what the tables say of both, without ids and times."""
        return fingerprint({self.ada.pk: "Ada", self.chidi.pk: "Chidi"}, staff=self.staff)


def at_once(work: Callable[..., object], **given: Any) -> Work:
    """Return work that is done at the time of its doing."""
    return lambda: work(**given, now=clock.now())


# Each is given its scene before the game begins.
OPERATIONS: dict[str, Callable[[Scene], Work]] = {
    "Ada sends 100": lambda scene: partial(send, scene.adas, scene.chidis, "100.00"),
    "Chidi sends 110": lambda scene: partial(send, scene.chidis, scene.adas, "110.00"),
    "a payment of 50": lambda scene: partial(credit, scene.adas, "50.00", scene.payment),
    "a hold of 90": lambda scene: partial(hold, scene.adas, "90.00"),
    "a capture": lambda scene: partial(settle, scene.held, scene.adas),
    "half a capture": lambda scene: scene.capture_half,
    "a settlement with cashback": lambda scene: partial(settle, scene.held, scene.adas, scene.cashback),
    "a void": lambda scene: partial(void, scene.held),
    "a reversal": lambda scene: partial(scene.reverse, scene.sent),
    "a refund of 20": lambda scene: partial(scene.refund, "20.00"),
    "a refund of all": lambda scene: partial(scene.refund, None),
    "an expiry": lambda _scene: at_once(expire_holds),
    "a conversion": lambda scene: at_once(convert, user=scene.ada, quote_id=scene.quote),
    "a bulk": lambda scene: at_once(bulk.work_off_chunk, bulk_id=scene.bulk),
    "a freeze": lambda scene: partial(scene.freeze, scene.adas),
    "a freeze of Chidi": lambda scene: partial(scene.freeze, scene.chidis),
    "a redemption": lambda scene: at_once(
        redeem, user=scene.ada, amount=None, currency=scene.reward.currency
    ),
    "a release": lambda scene: partial(release, parked_credit_id=scene.parked),
    "a reversal of what was parked": lambda scene: partial(
        scene.reverse, ParkedCredit.objects.get(pk=scene.parked).parked_by
    ),
    "a request under a key": lambda scene: scene.ask_under_a_key,
    "a dry run": lambda scene: scene.rehearse,
    "a send in a group": lambda scene: scene.send_in_a_group,
    "a bulk of all or none": lambda scene: at_once(
        bulk.send_all, sender=scene.ada, currency="NGN", items=scene.items("45.00", "50.00")
    ),
    "a correction": lambda scene: at_once(
        book_adjustment, adjustment_id=scene.correction, checker=scene.staff, reason="looked at"
    ),
    "an approved reversal": lambda scene: at_once(
        book_undoing, undoing_id=scene.undoing, checker=scene.staff, reason="looked at"
    ),
    "a rejection of it": lambda scene: at_once(
        reject_adjustment, adjustment_id=scene.correction, checker=scene.staff, reason="looked at"
    ),
    "a taking back": lambda scene: at_once(take_back_for, user_id=scene.reward.owner_id),
    "a reversal that may be owed": lambda scene: partial(scene.reverse, scene.sent, book_shortfall=True),
    "an opening": lambda scene: partial(open_wallet, user=scene.ada, currency="GHS"),
    "an unfreezing": lambda scene: partial(scene.unfreeze, scene.frozen),
    "a stop of debits": lambda scene: partial(scene.freeze, scene.adas, WalletStatus.NO_DEBIT),
    "a refund that may be owed": lambda scene: partial(scene.refund, None, book_shortfall=True),
    "a correction of the past": lambda scene: at_once(
        book_adjustment, adjustment_id=scene.late_correction, checker=scene.staff, reason="looked at"
    ),
    "a closing of the month": lambda scene: at_once(
        months.close_month, month=scene.month, actor=scene.staff, reason="month end"
    ),
}
