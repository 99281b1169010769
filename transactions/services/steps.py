"""A business step: several operations decided one after another on wallets that are locked once.

``Step`` is pure bookkeeping over working copies; it runs no query. ``writing`` stores what it decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from fintech_core import clock
from fintech_core.ids import reference_of
from fintech_core.money import ZERO, format_amount
from transactions import chart, limits
from transactions.accounts import account_id
from transactions.drafts import (
    Authorize,
    Capture,
    Leg,
    Operation,
    Post,
    TransactionDraft,
    Void,
    credit_account,
)
from transactions.enums import Direction, TransactionStatus
from transactions.errors import (
    CaptureExceedsHold,
    ChartViolation,
    InsufficientFunds,
    RecipientCannotReceive,
    TransactionNotPending,
    WalletFrozen,
)
from transactions.limits import Limits
from transactions.models import Transaction
from transactions.services.legs import check_legs, debited
from transactions.services.locking import LockedWallet, moment_of
from transactions.services.reshaping import with_fee, with_shortfall
from transactions.services.writing import Batch, EntryRow, Resolution, TransactionRow
from wallet.enums import WalletKind, WalletStatus
from wallet.etags import require_match

MAX_BALANCE = Decimal(10) ** 15


@dataclass(frozen=True, slots=True)
class Parked:
    """A credit that could not land: its draft now credits ``suspense``."""

    draft: TransactionDraft
    wallet_id: UUID
    reason: str


@dataclass(slots=True)
class Step:
    """Decides operations against locked wallets and pending transactions re-read under those locks."""

    wallets: dict[UUID, LockedWallet]
    pending: Mapping[UUID, Transaction]
    now: datetime
    batch: Batch = field(default_factory=Batch)
    parked: list[Parked] = field(default_factory=list)
    # What is sent counts when it is recorded, which is known once the wallets are held. ``now`` may be of the day
    # before, while others have spent on the day that has come.
    counted_at: datetime = field(init=False)
    today: date = field(init=False)
    _allowed: dict[tuple[int, str], Limits] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.wallets:
            self.batch.moment = moment_of(self.wallets)
        self.counted_at = self.batch.moment or self.now
        self.today = clock.business_day(self.counted_at)

    def carry_out(self, operation: Operation) -> UUID | None:
        """Decide one operation; return its transaction's id, or None where a guard dropped it."""
        if isinstance(operation, Post):
            return self._post(operation.draft)
        if isinstance(operation, Authorize):
            return self._authorize(operation.draft)
        if isinstance(operation, Capture):
            return self._capture(operation)
        return self._void(operation)

    def _post(self, draft: TransactionDraft) -> UUID | None:
        guarded = draft.guard(draft) if draft.guard is not None else draft
        if guarded is None:
            return None
        if guarded.from_wallet_id is not None:
            require_match(self.wallets[guarded.from_wallet_id], guarded.if_match)
        if guarded.fee_by_rule:
            guarded = with_fee(guarded, self.wallets, self.now)
        if guarded.shortfall_to_receivables:
            guarded = with_shortfall(guarded, self.wallets)
        final = self._landing(guarded)
        if final.counts_toward_limits and final.from_wallet_id is not None:
            self._count(self.wallets[final.from_wallet_id], final.amount)
        self._enter(final.id, final.type, final.legs, final)
        self._add_transaction(final, TransactionStatus.COMPLETED, hold_amount=None)
        return final.id

    def _authorize(self, draft: TransactionDraft) -> UUID:
        if draft.from_wallet_id is None:
            raise ChartViolation("a hold needs the wallet it holds money on")
        wallet = self.wallets[draft.from_wallet_id]
        require_match(wallet, draft.if_match)
        if draft.fee_by_rule:
            draft = with_fee(draft, self.wallets, self.now)
        self._require_can_debit(wallet, draft)
        self._require_available(wallet, draft.total, wallet.available)
        if draft.counts_toward_limits:
            self._count(wallet, draft.amount)
        wallet.held += draft.total
        self._add_transaction(draft, TransactionStatus.PENDING, hold_amount=draft.total)
        return draft.id

    def _capture(self, operation: Capture) -> UUID:
        held = self._open_hold(operation.transaction_id)
        hold_amount = held.hold_amount or ZERO
        total = operation.amount + operation.fee
        # More amount and less fee would pass the hold and the limits, which counted the amount that was held.
        if total > hold_amount or operation.amount > held.amount:
            raise CaptureExceedsHold(f"{total} is more than the {hold_amount} that were held.")
        wallet = self._release(held, given_back=held.amount - operation.amount)
        if debited(operation.legs, wallet.id) != total:
            raise ChartViolation("a capture takes its amount and fee from the wallet that held them")
        self._enter(held.pk, held.type, operation.legs, None)
        self.batch.resolutions.append(
            Resolution(held.pk, TransactionStatus.COMPLETED, operation.amount, operation.fee, "")
        )
        return held.pk

    def _void(self, operation: Void) -> UUID:
        held = self._open_hold(operation.transaction_id)
        self._release(held, given_back=held.amount)
        self.batch.resolutions.append(
            Resolution(held.pk, operation.status, held.amount, held.fee, operation.failure_code)
        )
        return held.pk

    def _open_hold(self, transaction_id: UUID) -> Transaction:
        """Return the pending transaction as it was re-read under its wallet's lock, once per step."""
        held = self.pending.get(transaction_id)
        resolved_here = any(row.transaction_id == transaction_id for row in self.batch.resolutions)
        if held is None or held.status != TransactionStatus.PENDING or resolved_here:
            raise TransactionNotPending("It was captured or voided before.")
        return held

    def _release(self, held: Transaction, *, given_back: Decimal) -> LockedWallet:
        """Give a hold back to its wallet, and to the limits what it counted and will not be used."""
        if held.from_wallet_id is None or held.hold_amount is None:
            raise ChartViolation("a pending transaction holds money on a wallet")
        wallet = self.wallets[held.from_wallet_id]
        wallet.held -= held.hold_amount
        if given_back > ZERO:
            spent = wallet.spent.as_of(self.today)
            wallet.spent = spent.minus(given_back, spent_on=clock.business_day(held.created_at))
        return wallet

    def _landing(self, draft: TransactionDraft) -> TransactionDraft:
        """Check every wallet the draft touches; a parkable credit that may not land goes to ``suspense``."""
        left: dict[UUID, Decimal] = {}
        for leg in draft.legs:
            if leg.wallet_id is None:
                continue
            wallet = self.wallets[leg.wallet_id]
            available = left.get(wallet.id, wallet.available)
            if leg.direction == Direction.DEBIT:
                if not draft.ignores_wallet_status:
                    self._require_can_debit(wallet, draft)
                self._require_available(wallet, leg.amount, available)
                left[wallet.id] = available - leg.amount
            elif reason := self._reason_not_to_credit(wallet, draft, leg.amount):
                if not draft.parkable:
                    raise RecipientCannotReceive("The recipient cannot receive this now.")
                return self._park(draft, leg, reason)
            else:
                left[wallet.id] = available + leg.amount
        return draft

    def _park(self, draft: TransactionDraft, credit: Leg, reason: str) -> TransactionDraft:
        legs = tuple(
            credit_account(chart.SUSPENSE, leg.amount, leg.currency) if leg is credit else leg
            for leg in draft.legs
        )
        final = replace(draft, legs=legs, to_wallet_id=None)
        if credit.wallet_id is None:
            raise ChartViolation("only a wallet's credit can be parked")
        self.parked.append(Parked(final, credit.wallet_id, reason))
        return final

    @staticmethod
    def _require_can_debit(wallet: LockedWallet, draft: TransactionDraft) -> None:
        """Before its money is looked at: whoever may not send at all is not told to bring more."""
        if wallet.status != WalletStatus.ACTIVE:
            raise WalletFrozen(
                "Money cannot leave this wallet now. Contact support.", wallet_status=wallet.status
            )
        if draft.counts_toward_limits:
            limits.require_verified(wallet.tier)

    @staticmethod
    def _require_available(wallet: LockedWallet, amount: Decimal, available: Decimal) -> None:
        if amount > available:
            raise InsufficientFunds(
                f"{format_amount(available, wallet.currency)} {wallet.currency} is available.",
                available=format_amount(available, wallet.currency),
                required=format_amount(amount, wallet.currency),
                currency=wallet.currency,
            )

    def _reason_not_to_credit(
        self, wallet: LockedWallet, draft: TransactionDraft, amount: Decimal
    ) -> str | None:
        if wallet.status in {WalletStatus.FROZEN, WalletStatus.CLOSED}:
            return f"wallet_{wallet.status}"
        if wallet.balance + amount >= MAX_BALANCE:
            return "balance_cap"
        capped = draft.respects_balance_cap and wallet.kind == WalletKind.MAIN
        if capped and limits.over_cap(self._limits_of(wallet), wallet.balance + amount):
            return "balance_cap"
        return None

    def _count(self, wallet: LockedWallet, amount: Decimal) -> None:
        spent = wallet.spent.as_of(self.today)
        limits.check_spend(self._limits_of(wallet), spent, amount, self.counted_at)
        wallet.spent = spent.plus(amount)

    def _limits_of(self, wallet: LockedWallet) -> Limits:
        """Return what the owner's tier allows, asked once in a step."""
        about = wallet.tier, wallet.currency
        if about not in self._allowed:
            self._allowed[about] = limits.limits_for(tier=wallet.tier, currency=wallet.currency, at=self.now)
        return self._allowed[about]

    def _enter(
        self, transaction_id: UUID, kind: str, legs: tuple[Leg, ...], draft: TransactionDraft | None
    ) -> None:
        """Turn legs into entries, moving the working copies of the wallets along."""
        check_legs(kind, legs)
        effective_at = draft.effective_at if draft is not None else None
        for leg in legs:
            balance: Decimal | None = None
            version: int | None = None
            if leg.wallet_id is not None:
                wallet = self.wallets[leg.wallet_id]
                wallet.balance += leg.amount if leg.direction == Direction.CREDIT else -leg.amount
                if wallet.available < ZERO:
                    raise InsufficientFunds("Together the movements are more than what is available.")
                wallet.version += 1
                wallet.entries += 1
                balance, version = wallet.balance, wallet.version
            entry: EntryRow = {
                "transaction_id": transaction_id,
                "account_id": account_id(leg.account, leg.currency),
                "wallet_id": leg.wallet_id,
                "direction": str(leg.direction),
                "amount": leg.amount,
                "currency": leg.currency,
                "balance_after": balance,
                "version": version,
            }
            if effective_at is not None:
                entry["effective_at"] = effective_at
            self.batch.entries.append(entry)

    def _add_transaction(self, draft: TransactionDraft, status: str, *, hold_amount: Decimal | None) -> None:
        row: TransactionRow = {
            "id": draft.id,
            "reference": draft.reference or reference_of("TRX", draft.id),
            "type": str(draft.type),
            "status": str(status),
            "currency": draft.currency,
            "amount": draft.amount,
            "fee": draft.fee,
            "from_wallet_id": draft.from_wallet_id,
            "to_wallet_id": draft.to_wallet_id,
            "from_user_id": draft.from_user_id,
            "to_user_id": draft.to_user_id,
            "initiated_by_id": draft.initiated_by_id,
            "description": draft.description,
            "metadata": dict(draft.metadata),
            "source_kind": draft.source.kind if draft.source else "",
        }
        if hold_amount is not None:
            row |= {"hold_amount": hold_amount, "expires_at": draft.expires_at}
        if draft.is_contestable:
            self.batch.is_contestable = True
            row |= {
                "reverses_id": draft.reverses_id,
                "refund_of_id": draft.refund_of_id,
                "source_id": draft.source.id if draft.source else None,
                "effective_at": draft.effective_at,
            }
        self.batch.transactions.append(row)
        if draft.conversion is not None:
            self.batch.conversions[draft.id] = draft.conversion
