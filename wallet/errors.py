"""Refusals of the wallet app."""

from fintech_core.exceptions import DomainError


class WalletExists(DomainError):
    """The owner has a wallet in this currency already."""

    code, status, title = "wallet_exists", 409, "You already have a wallet in this currency"


class WalletStateConflict(DomainError):
    """The wallet's status does not allow what was asked."""

    code, status, title = "wallet_state_conflict", 409, "The wallet's status does not allow this"


class PreconditionFailed(DomainError):
    """The client's ``If-Match`` names another state of the wallet than the present one, which the facts tell."""

    code, status, title = "precondition_failed", 412, "The wallet is not as you saw it"
