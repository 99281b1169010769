"""Writes of wallets: opening them and setting their status. Money is moved by ``transactions`` alone."""

from uuid import UUID

from django.db import IntegrityError, transaction

from fintech_core import audit
from fintech_core.exceptions import NotFound, constraint_of
from notifications.services import publish
from users.models import User
from users.services.own_cases import forbid_own_case
from wallet.enums import STATUS_SOURCES, WalletKind, WalletStatus
from wallet.errors import WalletExists, WalletStateConflict
from wallet.etags import require_match
from wallet.models import Wallet

ONE_OF_A_KIND = "wallet_one_of_a_kind_and_currency"


def open_wallet(*, user: User, currency: str) -> Wallet:
    """Open a main wallet in another enabled currency. Raises WalletExists when there is one."""
    try:
        with transaction.atomic():
            wallet = Wallet.objects.create(owner=user, kind=WalletKind.MAIN, currency=currency)
            publish(
                type="wallet.opened",
                user_id=user.pk,
                payload={"wallet_id": str(wallet.pk), "currency": currency},
            )
    except IntegrityError as error:
        if constraint_of(error) == ONE_OF_A_KIND:
            raise WalletExists(f"You already have a {currency} wallet.") from error
        raise
    return wallet


def ensure_cashback_wallet(*, user_id: UUID, currency: str) -> Wallet:
    """Return the user's cashback wallet in this currency, opening it at first use; safe under races."""
    wallet, _created = Wallet.objects.get_or_create(
        owner_id=user_id, kind=WalletKind.CASHBACK, currency=currency
    )
    return wallet


def freeze_wallet(
    *,
    wallet_id: UUID,
    actor: User,
    reason: str,
    status: str = WalletStatus.FROZEN,
    if_match: str | None = None,
) -> Wallet:
    """Freeze this wallet: ``frozen`` (in and out) or ``no_debit`` (out).

    Raises OwnCase, WalletStateConflict, and PreconditionFailed when ``if_match`` names another state of the wallet.
    """
    return _set_status(
        wallet_id=wallet_id, to=status, actor=actor, reason=reason, event="wallet.frozen", if_match=if_match
    )


def unfreeze_wallet(*, wallet_id: UUID, actor: User, reason: str, if_match: str | None = None) -> Wallet:
    """Unfreeze this wallet. Raises what ``freeze_wallet`` raises."""
    return _set_status(
        wallet_id=wallet_id,
        to=WalletStatus.ACTIVE,
        actor=actor,
        reason=reason,
        event="wallet.unfrozen",
        if_match=if_match,
    )


@transaction.atomic
def _set_status(
    *, wallet_id: UUID, to: str, actor: User, reason: str, event: str, if_match: str | None
) -> Wallet:
    """Set the status under the row lock that every posting takes, with audit and event."""
    wallet = Wallet.objects.select_for_update(no_key=True).filter(pk=wallet_id).first()
    if wallet is None:
        raise NotFound
    forbid_own_case(wallet.owner_id, actor=actor, detail="Somebody else has to decide about your own wallet.")
    require_match(wallet, if_match)
    if wallet.status not in STATUS_SOURCES.get(to, frozenset()):
        raise WalletStateConflict(f"A wallet that is {wallet.status} cannot become {to}.")
    before, wallet.status = wallet.status, to
    wallet.save(update_fields=["status"])
    audit.record(actor=actor, action=event, target=wallet, reason=reason, changes={"status": [before, to]})
    publish(type=event, user_id=wallet.owner_id, payload={"wallet_id": str(wallet.pk), "status": to})
    return wallet
