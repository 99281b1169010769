"""Every way money moves, happening once to two people: the worked examples of docs/reference/ledger.md.

A scene does what the product does, by the product's own services, and returns the movements that the page shows as
journal entries.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

from django.db import transaction

from billers.models import BillPayment
from billers.services import processing, settlement
from cashback.services import redeem
from fintech_core import clock
from fintech_core.money import for_people
from tests.billers import bench
from tests.billers.scripted import DELIVERED, Script, answer
from tests.factories import ManagerFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import happened
from tests.transactions.test_fees import charge_transfers
from transactions import chart
from transactions.balances import TrialBalance
from transactions.drafts import Post, Source, funding_draft
from transactions.enums import Direction, TransactionStatus
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from transactions.services import TransactionService, adjustments, conversions
from transactions.services.releasing import release_for
from users.models import User
from wallet.services import freeze_wallet, open_wallet, unfreeze_wallet

WIDTH, SIDE = 40, 18


@dataclass(frozen=True, slots=True)
class Book:
    """The two customers, two members of staff, and the vendor of bills, which says what a scene wants to hear."""

    vendor: Script
    ada: User
    bola: User
    staff: User
    colleague: User


def opened(vendor: Script) -> Book:
    """Open the wallets; transfers of NGN cost ten naira from now on."""
    ada = UserFactory(first_name="Ada", kyc_tier=3)
    bola = UserFactory(first_name="Bola", kyc_tier=2)
    open_wallet(user=ada, currency="USD")
    charge_transfers(flat=Decimal(10), basis_points=0, minimum=Decimal(0), cap=None)
    return Book(vendor, ada, bola, ManagerFactory(), ManagerFactory())


def funding(book: Book) -> list[Transaction]:
    return [fund(book.ada, "100000.00")]


def funding_with_a_fee(book: Book) -> list[Transaction]:
    draft = funding_draft(
        wallet_id=main_wallet(book.bola).pk, user_id=book.bola.pk, amount=Decimal(20000), fee=Decimal(300),
        currency="NGN", source_account=chart.gateway_clearing("paystack"), source=Source("payment", uuid4()),
    )  # fmt: skip
    return [happened(Post(draft))]


def _send(book: Book, amount: str) -> Transaction:
    with transaction.atomic():
        return TransactionService.transfer_money(
            sender=main_wallet(book.ada), recipient=main_wallet(book.bola), amount=Decimal(amount), now=clock.now()
        )  # fmt: skip


def transfer(book: Book) -> list[Transaction]:
    return [_send(book, "5000.00")]


def bill_held(book: Book) -> list[Transaction]:
    return [_of(bench.new_payment(book.ada))]


def bill_delivered(book: Book) -> list[Transaction]:
    book.vendor.say(DELIVERED)
    payment = bench.work(BillPayment.objects.latest("created_at"))
    rewards = Transaction.objects.filter(type="cashback", to_user=book.ada)
    return [_of(payment), *rewards]


def bill_declined(book: Book) -> list[Transaction]:
    book.vendor.say(answer("016", "failed"))
    return [_of(bench.work(bench.new_payment(book.ada, allow_duplicate=True)))]


def bill_delivered_late(book: Book) -> list[Transaction]:
    book.vendor.say(DELIVERED)
    attempt = bench.attempt_of(BillPayment.objects.latest("created_at"))
    reading = processing.ask(attempt)
    settlement.settle(attempt_id=attempt.pk, lease_number=None, reading=reading, now=clock.now())
    return [Transaction.objects.get(source_kind="late_delivery")]


def redemption(book: Book) -> list[Transaction]:
    return [redeem(user=book.ada, amount=None, currency="NGN", now=clock.now())]


def refund(book: Book) -> list[Transaction]:
    sent = Transaction.objects.filter(type="transfer").latest("created_at")
    with transaction.atomic():
        return [
            TransactionService.refund(
                sent, amount=Decimal(2000), actor=book.staff, reason="goods came back", now=clock.now()
            )
        ]


def reversal(book: Book) -> list[Transaction]:
    sent = _send(book, "1000.00")
    with transaction.atomic():
        mirror = TransactionService.reverse(sent, actor=book.staff, reason="sent in error", now=clock.now())
    return [sent, mirror]


def reversal_of_what_is_spent(book: Book) -> list[Transaction]:
    """Let Bola, who has 23,000.00, receive 5,000.00, and pay nearly all on before it is reversed."""
    sent = _send(book, "5000.00")
    have = main_wallet(book.bola).balance
    with transaction.atomic():
        TransactionService.transfer_money(
            sender=main_wallet(book.bola), recipient=main_wallet(book.ada), amount=have - 1010, now=clock.now()
        )  # fmt: skip
    with transaction.atomic():
        return [
            TransactionService.reverse(
                sent, actor=book.staff, reason="fraud", book_shortfall=True, now=clock.now()
            )
        ]


def conversion(book: Book) -> list[Transaction]:
    quote = conversions.quote_conversion(
        user=book.ada, from_currency="NGN", to_currency="USD", amount=Decimal(31000), now=clock.now()
    )
    return [conversions.convert(user=book.ada, quote_id=quote.pk, now=clock.now())]


def parked(book: Book) -> list[Transaction]:
    freeze_wallet(wallet_id=main_wallet(book.bola).pk, actor=book.staff, reason="fraud alert")
    return [fund(book.bola, "3000.00")]


def released(book: Book) -> list[Transaction]:
    unfreeze_wallet(wallet_id=main_wallet(book.bola).pk, actor=book.staff, reason="it was hers")
    assert release_for(owner_id=book.bola.pk) == 1
    return [Transaction.objects.filter(to_wallet=main_wallet(book.bola), type="funding").latest("created_at")]


def charged_back(book: Book) -> list[Transaction]:
    credit = ParkedCredit.objects.get(owner=book.bola)
    with transaction.atomic():
        mirror = TransactionService.reverse(
            credit.parked_by, actor=book.staff, reason="stolen card", now=clock.now()
        )
    return [Transaction.objects.get(reverses=credit.released_by), mirror]


def adjustment(book: Book) -> list[Transaction]:
    asked = adjustments.request_adjustment(
        wallet=main_wallet(book.bola), direction=Direction.CREDIT, amount=Decimal(250), effective_at=None,
        reason="goodwill", maker=book.staff, now=clock.now(),
    )  # fmt: skip
    booked = adjustments.book_adjustment(
        adjustment_id=asked.pk, checker=book.colleague, reason="agreed", now=clock.now()
    )
    return [Transaction.objects.get(pk=booked.result_id)]


# In the order of the page, which is the order in which they happen.
SCENES: dict[str, Callable[[Book], list[Transaction]]] = {
    scene.__name__: scene
    for scene in (
        funding, funding_with_a_fee, transfer, bill_held, bill_delivered, redemption, bill_declined,
        bill_delivered_late, refund, reversal, reversal_of_what_is_spent, conversion, parked, released,
        charged_back, adjustment,
    )
}  # fmt: skip


def _of(payment: BillPayment) -> Transaction:
    return Transaction.objects.get(pk=payment.transaction_id)


def as_journal(movements: list[Transaction]) -> Iterator[str]:
    """Write movements as a journal has them: debits first, credits indented."""
    for number, movement in enumerate(movements):
        if number:
            yield ""
        yield f"{movement.type}, {movement.status}".ljust(WIDTH) + "debit".rjust(SIDE) + "credit".rjust(SIDE)
        entries = list(movement.entries.select_related("account", "wallet__owner").order_by("id"))
        if movement.status == TransactionStatus.PENDING:
            held, owner = movement.hold_amount or Decimal(0), movement.from_user
            assert owner is not None
            yield f"  no entries; {for_people(held, movement.currency)} is held on {owner.first_name}'s wallet"
        elif not entries:
            yield "  no entries; the hold is released"
        else:
            yield from (_line(entry) for entry in sorted(entries, key=_debits_first))


def _debits_first(entry: LedgerEntry) -> tuple[str, bool, int]:
    """Keep a conversion's currencies together; within one, debits come first."""
    return entry.currency, entry.direction == Direction.CREDIT, entry.pk


def _line(entry: LedgerEntry) -> str:
    whose = "" if entry.wallet is None else f" ({entry.wallet.owner.first_name})"
    name = f"{entry.account.code}{whose}"
    amount = for_people(entry.amount, entry.currency).rjust(SIDE)
    if entry.direction == Direction.DEBIT:
        return f"  {name}".ljust(WIDTH) + amount
    return f"      {name}".ljust(WIDTH) + " " * SIDE + amount


def as_trial_balance(found: TrialBalance, currency: str) -> Iterator[str]:
    """Write the accounts that have something, and their sums, which are equal."""
    yield f"{currency}".ljust(WIDTH) + "debit".rjust(SIDE) + "credit".rjust(SIDE)
    for row in found.accounts:
        if row.currency == currency and row.balance:
            debit, credit = (for_people(side, currency) if side else "" for side in (row.debit, row.credit))
            yield (f"  {row.code}".ljust(WIDTH) + debit.rjust(SIDE) + credit.rjust(SIDE)).rstrip()
    (total,) = (one for one in found.sums if one.currency == currency)
    sums = (for_people(side, currency).rjust(SIDE) for side in (total.debits, total.credits))
    yield " " * WIDTH + "".join(sums)
