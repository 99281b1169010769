"""A small ledger in which every kind of movement has happened once, for tests that look at all of it."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction

from cashback.services import award
from fintech_core import clock
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from transactions import chart
from transactions.drafts import (
    Authorize,
    Capture,
    Operation,
    Post,
    Source,
    TransactionDraft,
    Void,
    credit_account,
    credit_wallet,
    debit_account,
    debit_wallet,
)
from transactions.models import Transaction
from transactions.services import TransactionService
from transactions.services.releasing import release_for
from users.models import User
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet, freeze_wallet

COST, COMMISSION, FEE = Decimal("9800.00"), Decimal("200.00"), Decimal("100.00")


@dataclass(frozen=True, slots=True)
class Story:
    """Who took part and what happened, in order."""

    ada: User
    chidi: User
    staff: User
    funding: Transaction
    transfer: Transaction
    bill: Transaction
    cashback: Transaction
    voided: Transaction
    pending: Transaction
    parked: Transaction
    released: Transaction
    reversal: Transaction
    refund: Transaction
    redemption: Transaction
    ownerless: Transaction
    newest: Transaction


def happened(*operations: Operation) -> Transaction:
    """Carry out operations as one step, committed, and return the last transaction."""
    with transaction.atomic():
        done = TransactionService.apply(operations, now=clock.now())[-1]
    assert done is not None
    return done


def transfer_draft(sender: Wallet, recipient: Wallet, amount: str, fee: str = "0.00") -> TransactionDraft:
    """Send money with a fee on top."""
    value, cost = Decimal(amount), Decimal(fee)
    legs = [
        debit_wallet(sender.pk, value + cost, "NGN"),
        credit_wallet(recipient.pk, value, "NGN"),
    ]
    if cost:
        legs.append(credit_account(chart.TRANSFER_FEES, cost, "NGN"))
    return TransactionDraft(
        type="transfer", currency="NGN", amount=value, fee=cost, legs=tuple(legs),
        from_wallet_id=sender.pk, to_wallet_id=recipient.pk,
        from_user_id=sender.owner_id, to_user_id=recipient.owner_id, initiated_by_id=sender.owner_id,
        counts_toward_limits=True,
    )  # fmt: skip


def cashback_draft(user: User, amount: str) -> TransactionDraft:
    """Give cashback in NGN."""
    wallet, value = ensure_cashback_wallet(user_id=user.pk, currency="NGN"), Decimal(amount)
    legs = (
        debit_account(chart.CASHBACK_EXPENSE, value, "NGN"),
        credit_wallet(wallet.pk, value, "NGN", kind="cashback"),
    )
    return TransactionDraft(
        type="cashback", currency="NGN", amount=value, legs=legs, to_wallet_id=wallet.pk, to_user_id=user.pk,
        source=Source("reward", uuid4()),
    )  # fmt: skip


def bill_draft(wallet: Wallet, amount: str, fee: str = "0.00") -> TransactionDraft:
    """Hold money for a bill."""
    return TransactionDraft(
        type="bill_payment", currency="NGN", amount=Decimal(amount), fee=Decimal(fee),
        from_wallet_id=wallet.pk, from_user_id=wallet.owner_id, initiated_by_id=wallet.owner_id,
        source=Source("bill_payment", uuid4()), counts_toward_limits=True,
    )  # fmt: skip


def rewarded(held: Transaction, owner_id: UUID, paid: Decimal) -> list[Post]:
    """Reward somebody for a bill that is being settled, from the sample campaign; runs inside the settlement."""
    assert held.source_id is not None
    drafts = award(
        user_id=owner_id, trigger=Source(held.source_kind, held.source_id), amount=paid, currency="NGN",
        category="electricity", biller="ikeja-electric", product="prepaid", now=clock.now(),
    )  # fmt: skip
    return [Post(draft) for draft in drafts]


def settlement(
    held: Transaction, wallet: Wallet, cost: Decimal, commission: Decimal, fee: Decimal
) -> Capture:
    """Settle a held bill: the vendor's float, our commission, our fee."""
    total = cost + commission
    legs = [
        debit_wallet(wallet.pk, total + fee, "NGN"),
        credit_account(chart.biller_float("vtpass"), cost, "NGN"),
    ]
    if commission:
        legs.append(credit_account(chart.BILLER_COMMISSION, commission, "NGN"))
    if fee:
        legs.append(credit_account(chart.BILL_FEES, fee, "NGN"))
    return Capture(held.pk, tuple(legs), total, fee)


def tell_story() -> Story:
    """Let it all happen and return it."""
    ada, chidi, staff = UserFactory(), UserFactory(), StaffFactory()
    funding = fund(ada, "50000.00")
    fund(chidi, "1000.00")
    ada_wallet, chidi_wallet = main_wallet(ada), main_wallet(chidi)
    sent = happened(Post(transfer_draft(ada_wallet, chidi_wallet, "5000.00", "25.00")))
    returned = happened(Post(transfer_draft(chidi_wallet, ada_wallet, "300.00")))
    with transaction.atomic():
        reversal = TransactionService.reverse(returned, actor=staff, reason="sent in error", now=clock.now())
    bill, cashback = _pay_a_bill(ada, ada_wallet)
    voided = happened(Authorize(bill_draft(chidi_wallet, "50.00")))
    happened(Void(voided.pk, "declined"))
    pending = happened(Authorize(bill_draft(ada_wallet, "700.00", "10.00")))
    parked, released = _park_twice()
    frozen = UserFactory()
    freeze_wallet(wallet_id=main_wallet(frozen).pk, actor=staff, reason="fraud alert")
    refund, redemption = _refund(ada, ada_wallet, bill), _redeem(ada, ada_wallet)
    ownerless = keep_apart()
    newest = happened(Post(transfer_draft(chidi_wallet, ada_wallet, "10.00")))
    return Story(
        ada, chidi, staff, funding, sent, bill, cashback, Transaction.objects.get(pk=voided.pk), pending, parked,
        released, reversal, refund, redemption, ownerless, newest,
    )  # fmt: skip


def _pay_a_bill(owner: User, wallet: Wallet) -> tuple[Transaction, Transaction]:
    held = happened(Authorize(bill_draft(wallet, "10500.00", "100.00")))
    with transaction.atomic():
        capture = settlement(held, wallet, COST, COMMISSION, FEE)
        bill, cashback = TransactionService.apply(
            [capture, *rewarded(held, owner.pk, COST + COMMISSION)], now=clock.now()
        )
    assert bill is not None
    assert cashback is not None
    return bill, cashback


def _park_twice() -> tuple[Transaction, Transaction]:
    """Park two credits over the cap of tier 0; the tier of the second owner rises and theirs lands."""
    waiting, risen = UnverifiedUserFactory(), UnverifiedUserFactory()
    parked = fund(waiting, "50000.01")
    fund(risen, "60000.00")
    User.objects.filter(pk=risen.pk).update(kyc_tier=1)
    assert release_for(owner_id=risen.pk) == 1
    return parked, Transaction.objects.get(to_wallet=main_wallet(risen), type="funding")


def keep_apart() -> Transaction:
    """Book a payment in a currency that its payer did not choose: it has a document and no owner."""
    value = Decimal("7.00")
    legs = (
        debit_account(chart.gateway_clearing("paystack"), value, "USD"),
        credit_account(chart.SUSPENSE, value, "USD"),
    )
    draft = TransactionDraft(
        type="funding", currency="USD", amount=value, legs=legs, source=Source("payment", uuid4())
    )
    return happened(Post(draft))


def _refund(owner: User, wallet: Wallet, bill: Transaction) -> Transaction:
    value = Decimal("500.00")
    return happened(
        Post(
            TransactionDraft(
                type="refund", currency="NGN", amount=value,
                legs=(debit_account(chart.biller_float("vtpass"), value, "NGN"),
                      credit_wallet(wallet.pk, value, "NGN")),
                to_wallet_id=wallet.pk, to_user_id=owner.pk, source=Source("refund", uuid4()), refund_of_id=bill.pk,
            )
        )
    )  # fmt: skip


def _redeem(owner: User, wallet: Wallet) -> Transaction:
    value, reward_wallet = Decimal("40.00"), ensure_cashback_wallet(user_id=owner.pk, currency="NGN")
    return happened(
        Post(
            TransactionDraft(
                type="cashback_redemption", currency="NGN", amount=value,
                legs=(debit_wallet(reward_wallet.pk, value, "NGN", kind="cashback"),
                      credit_wallet(wallet.pk, value, "NGN")),
                from_wallet_id=reward_wallet.pk, to_wallet_id=wallet.pk, from_user_id=owner.pk, to_user_id=owner.pk,
                initiated_by_id=owner.pk,
            )
        )
    )  # fmt: skip
