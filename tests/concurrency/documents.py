"""A bill that is at its vendor and a checkout that may be paid, and everything that may be told of them next."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from billers import services as billers
from billers.models import BillPayment
from billers.providers.base import PurchaseResult
from billers.services import settlement as bills
from billers.services.processing import claim_payment
from billers.services.readings import Reading as BillReading
from fintech_core import clock
from fintech_core.outcomes import Outcome
from payments.enums import AttemptStatus
from payments.ladders import INTENT_LIFETIME
from payments.models import CheckoutAttempt
from payments.providers.base import Reading, VendorPayment
from payments.services import PaymentService, intents
from payments.services import settlement as checkouts
from tests.concurrency.fingerprints import fingerprint
from tests.concurrency.interleaving import Work
from tests.concurrency.racing import credit, send
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import main_wallet
from transactions.models import Transaction
from transactions.services import TransactionService
from users.models import User
from wallet.services import ensure_cashback_wallet, freeze_wallet

BILL, CHECKOUT = Decimal("500.00"), Decimal("1000.00")


class Documents:
    """Ada has ₦2,000, of which ₦500 are held for a bill, and a checkout of ₦1,000 that nobody has paid yet."""

    @transaction.atomic
    def __init__(self) -> None:
        self.expire()  # what the scene before has left
        self.staff: User = StaffFactory()
        self.ada: User = UserFactory()
        self.chidi: User = UserFactory()
        self.adas, self.chidis = main_wallet(self.ada), main_wallet(self.chidi)
        credit(self.adas, "2000.00", uuid4())
        ensure_cashback_wallet(user_id=self.ada.pk, currency="NGN")
        claim = claim_payment(self.pay(BILL).pk)
        assert claim is not None
        self.bill, self.order, self.lease_number = claim.payment, claim.attempt, claim.payment.lease_number
        intent = PaymentService.create_payment_intent(
            user=self.ada, amount=CHECKOUT, currency="NGN", gateway="paystack", now=clock.now()
        )
        self.checkout = CheckoutAttempt.objects.get(intent=intent)
        CheckoutAttempt.objects.filter(intent=intent).update(status=AttemptStatus.SENT, sent_at=clock.now())

    @property
    def people(self) -> list[UUID]:
        """Everybody whose wallets move."""
        return [self.ada.pk, self.chidi.pk]

    def fingerprint(self) -> dict[str, Any]:
        """Return what the tables say of both, without ids and times."""
        return fingerprint({self.ada.pk: "Ada", self.chidi.pk: "Chidi"}, staff=self.staff)

    def pay(self, amount: Decimal) -> BillPayment:
        order = billers.Order(
            biller="ikeja-electric", product="prepaid", customer_id="1111111111111", amount=amount, currency="NGN"
        )  # fmt: skip
        return billers.pay_bill(user=self.ada, order=order, now=clock.now())

    def deliver(self) -> None:
        result = PurchaseResult(
            Outcome.SUCCEEDED, self.order.vendor_reference, "delivered", amount=BILL, cost=Decimal("490.00"),
            token="12345678901234567890",
        )  # fmt: skip
        self.tell(BillReading.of(result))

    def tell(self, reading: BillReading) -> None:
        bills.settle(
            attempt_id=self.order.pk, lease_number=self.lease_number, reading=reading, now=clock.now()
        )

    def receive(self, which: str) -> None:
        paid = VendorPayment(f"{which} {self.checkout.pk}", CHECKOUT, CHECKOUT, "NGN", None)
        self.answer(Reading(Outcome.SUCCEEDED, self.checkout.reference, "success", payment=paid))

    def answer(self, reading: Reading) -> None:
        checkouts.settle(attempt_id=self.checkout.pk, reading=reading, now=clock.now())

    def expire(self) -> None:
        intents.expire_due(now=clock.now() + 2 * INTENT_LIFETIME)

    def freeze(self) -> None:
        freeze_wallet(wallet_id=self.adas.pk, actor=self.staff, reason="alert")

    @transaction.atomic
    def reverse(self) -> None:
        paid = Transaction.objects.get(pk=self.bill.transaction_id)
        TransactionService.reverse(paid, actor=self.staff, reason="not delivered", now=clock.now())


# Each is given its scene before the game begins.
DOCUMENT_OPERATIONS: dict[str, Callable[[Documents], Work]] = {
    "a delivery": lambda scene: scene.deliver,
    "a refusal": lambda scene: partial(scene.tell, BillReading(Outcome.DECLINED, "refused")),
    "no answer": lambda scene: partial(scene.tell, BillReading(Outcome.UNKNOWN, "timeout")),
    "not sent": lambda scene: partial(scene.tell, BillReading(Outcome.NOT_SENT, "connect_failed")),
    "the same bill": lambda scene: partial(scene.pay, BILL),
    "another bill": lambda scene: partial(scene.pay, Decimal("700.00")),
    "a reversal of it": lambda scene: scene.reverse,
    "money": lambda scene: partial(scene.receive, "first"),
    "more money": lambda scene: partial(scene.receive, "second"),
    "a failed checkout": lambda scene: partial(
        scene.answer, Reading(Outcome.DECLINED, scene.checkout.reference, "abandoned")
    ),
    "the end of its time": lambda scene: scene.expire,
    "Ada sends 1,300": lambda scene: partial(send, scene.adas, scene.chidis, "1300.00"),
    "a freeze of Ada": lambda scene: scene.freeze,
}
