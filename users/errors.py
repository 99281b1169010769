"""Refusals of this app: who somebody is, what their PIN allows, how far they are known."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError

from fintech_core.exceptions import DomainError, FieldError


class InvalidCredentials(DomainError):
    """E-mail and password do not belong together; an unknown address answers alike."""

    code, status, title = "invalid_credentials", 401, "The e-mail address or the password is wrong"


class TokenInvalid(DomainError):
    """The refresh token was never issued here."""

    code, status, title = "token_invalid", 401, "The token is not valid"


class TokenExpired(DomainError):
    """The refresh token is older than its lifetime."""

    code, status, title = "token_expired", 401, "The token has expired"


class TokenReused(DomainError):
    """A refresh token came back after its exchange: one of two holders is a thief (RFC 9700, 4.14)."""

    code, status, title = "token_reused", 401, "The token was used before; the session is closed"


class SessionRevoked(DomainError):
    """The session was closed, or its owner may no longer sign in."""

    code, status, title = "session_revoked", 401, "The session was closed"


class InvalidPassword(DomainError):
    """The password that should confirm a sensitive change is wrong."""

    code, status, title = "invalid_password", 403, "The password is wrong"


class PasswordRefused(FieldError):
    """The password does not pass the validators; every reason is told."""

    def __init__(self, field: str, faults: Iterable[ValidationError]) -> None:
        super().__init__(field, "invalid", "")
        self.errors = [
            {"field": field, "code": fault.code or "invalid", "detail": " ".join(fault.messages)}
            for fault in faults
        ]


class PinRequired(DomainError):
    """Money goes out, or the PIN changes, only with the PIN."""

    code, status, title = "pin_required", 403, "Send your transaction PIN"


class PinNotSet(DomainError):
    """The user has no transaction PIN yet."""

    code, status, title = "pin_not_set", 403, "Set a transaction PIN first"


class InvalidPin(DomainError):
    """The PIN is wrong; ``attempts_left`` says how often it may still be."""

    code, status, title = "invalid_pin", 403, "The transaction PIN is wrong"


class PinLocked(DomainError):
    """Too many wrong PINs; only a reset opens it again."""

    code, status, title = "pin_locked", 403, "The transaction PIN is locked"


class KycCaseOpen(DomainError):
    """One case is decided before another one begins."""

    code, status, title = "kyc_case_open", 409, "An identity check is already running"


class KycTierReached(DomainError):
    """The user already stands at this tier or above it."""

    code, status, title = "kyc_tier_reached", 409, "This tier is already reached"


class KycCaseClosed(DomainError):
    """The case is decided, or expired; it can no longer be decided."""

    code, status, title = "kyc_case_closed", 409, "The case is already decided"


class DocumentInUse(DomainError):
    """The document proves the identity of another customer."""

    code, status, title = "document_in_use", 409, "This document belongs to another customer"


class OwnCase(DomainError):
    """Staff never decide about themselves."""

    code, status, title = "own_case", 403, "You cannot decide your own case"


class AccountStatusConflict(DomainError):
    """The account is suspended, or active, already."""

    code, status, title = "account_status_conflict", 409, "The account is in this state already"
