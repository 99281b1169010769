"""Reads of wallets, always scoped by owner."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from fintech_core.exceptions import NotFound
from fintech_core.ids import parse_uuid
from fintech_core.money import format_amount
from fintech_core.prepared import PendingRow, PreparedRead
from users.models import User
from wallet.enums import WalletKind
from wallet.models import Wallet

_MAIN_WALLET = PreparedRead(
    lambda user_id, currency: Wallet.objects.filter(
        owner_id=user_id, kind=WalletKind.MAIN, currency=currency
    ),
    user_id=UUID(int=1),
    currency="a currency",
)


def wallets_of(*, user: User) -> QuerySet[Wallet]:
    """Return the user's wallets."""
    return Wallet.objects.filter(owner=user)


def balances_of(user_ids: Collection[UUID]) -> list[dict[str, str]]:
    """Return what stands on each wallet of these users, as this transaction sees it; amounts as text."""
    return [
        {
            "wallet_id": str(wallet.pk),
            "kind": wallet.kind,
            "currency": wallet.currency,
            "balance": format_amount(wallet.balance, wallet.currency),
            "held": format_amount(wallet.held, wallet.currency),
            "available": format_amount(wallet.available, wallet.currency),
        }
        for wallet in Wallet.objects.filter(owner_id__in=user_ids).order_by("owner_id", "-kind", "currency")
    ]


def get_wallet_for(*, user: User, wallet_id: UUID) -> Wallet:
    """Return the user's wallet with this id; raises NotFound for everybody else's too."""
    wallet = Wallet.objects.filter(owner=user, pk=wallet_id).first()
    if wallet is None:
        raise NotFound
    return wallet


def find_wallet_of_anybody(*, named: object) -> Wallet | None:
    """Return the wallet that staff name by its id, whosever it is; None where there is none of that name."""
    wallet_id = parse_uuid(named)
    return None if wallet_id is None else Wallet.objects.filter(pk=wallet_id).first()


def get_main_wallet(*, user_id: UUID, currency: str) -> Wallet:
    """Return the main wallet of a user in this currency; raises NotFound when none is open."""
    return prefetch_main_wallet(user_id=user_id, currency=currency).get()


def prefetch_main_wallet(*, user_id: UUID, currency: str) -> "PendingMainWallet":
    """Queue the read of a user's main wallet."""
    return PendingMainWallet(currency, _MAIN_WALLET.queue(user_id=user_id, currency=currency))


@dataclass(frozen=True, slots=True)
class PendingMainWallet:
    """A main wallet whose read is queued."""

    currency: str
    _row: PendingRow[Wallet]

    def first(self) -> Wallet | None:
        """Return it, or None when none is open in this currency."""
        return self._row.first()

    def get(self) -> Wallet:
        """Return it; raises NotFound when none is open in this currency."""
        wallet = self.first()
        if wallet is None:
            raise NotFound(f"There is no {self.currency} wallet.")
        return wallet
