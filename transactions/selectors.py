"""Reads of the ledger: a customer's are scoped by owner; those for staff, and what they share, name no user."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, Sum

from fintech_core import clock
from fintech_core.exceptions import NotFound
from fintech_core.models import ApprovalRequest
from fintech_core.money import ZERO, format_amount
from fintech_core.pagination import Either
from fintech_core.prepared import PendingRow, PreparedRead
from transactions import limits
from transactions.enums import REFUNDABLE, ApprovalKind, TransactionStatus, TransactionType
from transactions.limits import Spent
from transactions.models import (
    PARKED_CREDIT,
    BulkTransfer,
    LedgerEntry,
    ParkedCredit,
    Transaction,
    is_passage,
)
from users.models import User
from wallet.enums import WalletKind
from wallet.models import Wallet

_MAIN_WALLETS = Wallet.objects.select_related("owner").filter(kind=WalletKind.MAIN, owner__is_active=True)
_WALLET_BY_EMAIL = PreparedRead(
    lambda to, currency: _MAIN_WALLETS.filter(owner__email=to, currency=currency),
    to="an address",
    currency="a currency",
)
_WALLET_BY_PHONE = PreparedRead(
    lambda to, currency: _MAIN_WALLETS.filter(
        owner__phone=to, owner__phone_verified_at__isnull=False, currency=currency
    ),
    to="+2348000000000",
    currency="a currency",
)


def with_parties() -> Any:
    """Return transactions with everything that rendering reads, in a fixed number of queries."""
    return Transaction.objects.select_related(
        "from_user", "to_user", "reverses", "reversed_by", "parked_credit"
    ).prefetch_related("refunds")


def parked_credit_of(transaction: Transaction) -> ParkedCredit | None:
    """Return the credit that a movement parked (read along by ``with_parties``) or is a passage of, which is read."""
    if is_passage(transaction) and transaction.source_id is not None:
        return ParkedCredit.objects.filter(pk=transaction.source_id).first()
    return getattr(transaction, "parked_credit", None)


def known_as(transaction: Transaction) -> UUID:
    """Return the movement that a customer knows this one by: of a passage the credit, or the reversal of that."""
    credit = parked_credit_of(transaction) if is_passage(transaction) else None
    if credit is None:
        return transaction.pk
    return credit.parked_by_id if transaction.reverses_id is None else credit.reversed_by_id or transaction.pk


def transactions_of(*, user: User) -> "QuerySet[Transaction]":
    """Return every movement that the user sent or received, passages of parked credits too."""
    rows: QuerySet[Transaction] = with_parties().filter(Q(from_user=user) | Q(to_user=user))
    return rows


def history_of(*, user: User, reference: str | None = None) -> Either:
    """Return the user's movements with all money once, to be read page by page, newest first.

    The passages of a parked credit are left out, its release and the mirror of that: the credit itself stands there
    and says when it was released, and its reversal does when it was reversed. So by the ``reference`` of a passage,
    which the wallet's history tells, the one of those two is found that it belongs to.
    """
    shown = Transaction.objects.exclude(source_kind=PARKED_CREDIT)
    if reference is not None:
        passage = _passage_of(user, reference)
        shown = shown.filter(reference=reference) if passage is None else shown.filter(pk=known_as(passage))
    return Either(with_parties(), shown.filter(from_user=user), shown.filter(to_user=user))


def _passage_of(user: User, reference: str) -> Transaction | None:
    """Return the user's passage with this reference, by the index of references."""
    found = Transaction.objects.filter(reference=reference, source_kind=PARKED_CREDIT)
    return found.filter(Q(from_user=user) | Q(to_user=user)).first()


def get_transaction_for(*, user: User, transaction_id: UUID) -> Transaction:
    """Return a movement that the user is a side of; raises NotFound for every other."""
    found = transactions_of(user=user).filter(pk=transaction_id).first()
    if found is None:
        raise NotFound
    return found


def get_transaction_for_staff(*, transaction_id: UUID) -> Transaction:
    """Return any movement, for staff; raises NotFound."""
    found: Transaction | None = with_parties().filter(pk=transaction_id).first()
    if found is None:
        raise NotFound
    return found


def approvals(*, kinds: Iterable[str]) -> "QuerySet[ApprovalRequest]":
    """Return what staff asked for of these kinds, each with what its kind adds."""
    rows: QuerySet[ApprovalRequest] = ApprovalRequest.objects.select_related(
        "adjustment__wallet", "undoing__transaction"
    )
    return rows.filter(kind__in=kinds)


def get_approval(*, request_id: UUID) -> ApprovalRequest:
    """Return what somebody asked for, for staff; raises NotFound."""
    found = approvals(kinds=ApprovalKind.values).filter(pk=request_id).first()
    if found is None:
        raise NotFound
    return found


def concerned_by(asked: ApprovalRequest) -> list[UUID]:
    """Return whose money a request would move."""
    if asked.kind == ApprovalKind.ADJUSTMENT:
        return [asked.adjustment.wallet.owner_id]
    return sides_of(asked.undoing.transaction)


def sides_of(transaction: Transaction) -> list[UUID]:
    """Return who gave and who got the money of a movement, as far as they are people of ours."""
    return [side for side in (transaction.from_user_id, transaction.to_user_id) if side]


def ways_to_undo(*, transaction_id: UUID) -> set[str]:
    """Return which of ``reverse`` and ``refund`` a movement is open to; who does it asks again under the locks."""
    row = Transaction.objects.filter(
        pk=transaction_id, status=TransactionStatus.COMPLETED, reversed_by=None
    ).first()
    if row is None or row.type == TransactionType.REVERSAL or is_passage(row):
        return set()
    refunded = refunded_so_far(row)
    ways = set() if refunded else {"reverse"}
    if row.type in REFUNDABLE and refunded < row.amount:
        ways.add("refund")
    return ways


def with_metadata(rows: "QuerySet[Transaction]", *, key: str, value: str) -> "QuerySet[Transaction]":
    """Keep the movements whose metadata has this key with this value, by an index of those that have metadata."""
    return rows.exclude(metadata={}).filter(metadata__contains={key: value})


def entries_of(*, transaction: Transaction) -> "QuerySet[LedgerEntry]":
    """Return all entries of a movement, in booking order: they add up to zero."""
    return transaction.entries.select_related("account", "wallet__owner").order_by("id")


def wallet_lines(*, user: User, currency: str) -> "QuerySet[LedgerEntry]":
    """Return the lines of the user's main wallet in a currency, with the running balance.

    The wallet is named, not joined: so its newest lines are read from the end of an index, however many it has.
    """
    wallet = Wallet.objects.filter(owner=user, kind=WalletKind.MAIN, currency=currency).values("pk")[:1]
    return LedgerEntry.objects.history_of(wallet).select_related(
        "transaction", "transaction__from_user", "transaction__to_user"
    )


def find_recipient(*, to: str) -> User | None:
    """Find an active person by e-mail address, or by a phone number that was verified (E.164)."""
    if "@" in to:
        return User.objects.filter(email=to.strip().lower(), is_active=True).first()
    return User.objects.filter(phone=to, phone_verified_at__isnull=False, is_active=True).first()


def prefetch_wallet_of(*, to: str, currency: str) -> PendingRow[Wallet]:
    """Queue the read of the main wallet, with its owner, of whoever ``find_recipient`` would find."""
    if "@" in to:
        return _WALLET_BY_EMAIL.queue(to=to.strip().lower(), currency=currency)
    return _WALLET_BY_PHONE.queue(to=to, currency=currency)


def find_recipients(*, to: Iterable[str]) -> dict[str, User]:
    """Find whoever ``find_recipient`` would find, for many addresses in two queries."""
    wanted = set(to)
    emails = {address for address in wanted if "@" in address}
    active = User.objects.filter(is_active=True)
    by_email = {user.email: user for user in active.filter(email__in=emails)} if emails else {}
    phones = wanted - emails
    verified = active.filter(phone__in=phones, phone_verified_at__isnull=False) if phones else ()
    return by_email | {str(user.phone): user for user in verified}


def unknown_among(*, to: Iterable[str]) -> set[str]:
    """Return those of many addresses for which ``find_recipient`` would find nobody."""
    wanted = set(to)
    return wanted - find_recipients(to=wanted).keys()


def get_bulk_transfer_for(*, user: User, bulk_id: UUID) -> BulkTransfer:
    """Return the user's own bulk of transfers; raises NotFound for everybody else's."""
    found = BulkTransfer.objects.filter(sender=user, pk=bulk_id).first()
    if found is None:
        raise NotFound
    return found


def _refunds() -> "QuerySet[Transaction]":
    """Return every refund; it is posted at once, so none is ever pending."""
    return Transaction.objects.filter(refund_of__isnull=False, status=TransactionStatus.COMPLETED)


def _that_stand(undoings: "QuerySet[Transaction]") -> "QuerySet[Transaction]":
    """Leave out what was itself reversed: it gave nothing back."""
    return undoings.filter(reversed_by=None)


def _sum_of(rows: "QuerySet[Transaction]") -> Decimal:
    return rows.aggregate(total=Sum("amount"))["total"] or Decimal(0)


def refunded_so_far(transaction: Transaction) -> Decimal:
    """Return the sum of a movement's refunds, without those that were themselves reversed."""
    return _sum_of(_that_stand(_refunds().filter(refund_of=transaction)))


def ever_refunded(transaction: Transaction) -> Decimal:
    """Return the sum of a movement's refunds, with those that were themselves reversed."""
    return _sum_of(_refunds().filter(refund_of=transaction))


def given_back() -> "QuerySet[Transaction]":
    """Return every movement whose whole amount went back to its payer: by its mirror, or by refunds that stand.

    The fee is not counted, since a refund keeps it. A refund that was itself reversed gave nothing back. The few rows
    that undo something are read first and lead to what they undo, so this costs as much as there are of them.
    """
    mirrored = Transaction.objects.filter(reverses__isnull=False).values("reverses_id")
    refunded = (
        _that_stand(_refunds())
        .values("refund_of_id")
        .annotate(total=Sum("amount"))
        .filter(total__gte=F("refund_of__amount"))
        .values("refund_of_id")
    )
    return Transaction.objects.filter(pk__in=mirrored.union(refunded, all=True))


def limits_of(*, user: User, at: datetime) -> dict[str, Any]:
    """Return, per currency of the user's main wallets, each limit with what is used, left, and when it resets."""
    wallets = Wallet.objects.filter(owner=user, kind=WalletKind.MAIN).order_by("currency")
    return {wallet.currency: _limits_of_wallet(wallet, user.kyc_tier, at) for wallet in wallets}


def _limits_of_wallet(wallet: Wallet, tier: int, at: datetime) -> dict[str, Any]:
    allowed = limits.limits_for(tier=tier, currency=wallet.currency, at=at)
    spent = Spent(wallet.spent_today, wallet.spent_this_month, wallet.spent_on).as_of(clock.business_day(at))
    rows = (
        ("single", allowed.single, ZERO, None),
        ("daily", allowed.daily, spent.today, clock.next_day(at)),
        ("monthly", allowed.monthly, spent.this_month, clock.next_month(at)),
        ("max_balance", allowed.max_balance, wallet.balance, None),
    )
    return {
        name: {
            "limit": None if limit is None else format_amount(limit, wallet.currency),
            "used": format_amount(used, wallet.currency),
            "remaining": None if limit is None else format_amount(max(limit - used, ZERO), wallet.currency),
            "resets_at": clock.rfc3339(resets_at),
        }
        for name, limit, used, resets_at in rows
    }
