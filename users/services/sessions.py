"""Sessions: sign in, exchange a refresh token for the next one, sign out.

A refresh token is good for one exchange. One conditional UPDATE consumes it, and its successor is issued in
the same transaction, so a process that dies in between leaves the old token good. The successor is derived
from the token itself under a secret (HMAC), which lets a client whose answer got lost ask once more within
the grace period and receive the same successor, while the tables hold nothing but hashes. A used token that
comes back later means that two parties hold it: the whole family dies (RFC 9700, section 4.14).
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.db.models import Exists, OuterRef

from fintech_core import audit, crashpoints
from fintech_core.database.atomic import require_transaction
from fintech_core.exceptions import DomainError, NotFound
from fintech_core.retention import delete_in_batches
from notifications.services import publish
from users import tokens
from users.devices import Device
from users.enums import RevokedReason
from users.errors import InvalidCredentials, SessionRevoked, TokenExpired, TokenInvalid, TokenReused
from users.models import RefreshToken, Session, User

TOKEN_BYTES = 32
KEPT_FOR = timedelta(days=90)
FORGET_BATCH = 1_000
FORGET_BATCHES = 5


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a client gets on sign-in and on refresh. Has no ``repr``, since both tokens are secrets."""

    user: User
    session: Session
    access: str
    access_expires_at: datetime
    refresh: str


def sign_in(*, email: str, password: str, device: Device, now: datetime) -> Credentials:
    """Sign a user in with e-mail and password; raises InvalidCredentials.

    An unknown address costs one password hash, like a known one, and an older hash is upgraded on success.
    """
    user = authenticate(username=email, password=password)
    if not isinstance(user, User):
        raise InvalidCredentials
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(last_login=now)
        return open_session(user=user, device=device, now=now)


def open_session(*, user: User, device: Device, now: datetime) -> Credentials:
    """Start a session in the caller's transaction and return its first tokens."""
    require_transaction("sessions.open_session")
    session = Session.objects.create(
        user=user,
        device_id=device.device_id,
        user_agent=device.user_agent,
        ip=device.ip,
        created_at=now,
        last_seen_at=now,
    )
    return _issue(session, secrets.token_urlsafe(TOKEN_BYTES), parent=None, now=now)


def refresh(*, token: str, device: Device, now: datetime) -> Credentials:
    """Exchange a refresh token for a new pair.

    Raises TokenInvalid for an unknown token, SessionRevoked, TokenExpired, and TokenReused when the token was
    used before: then the whole family is revoked, and that is committed before the error is raised.
    """
    with transaction.atomic():
        outcome = _exchange(token, device, now)
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def _exchange(token: str, device: Device, now: datetime) -> Credentials | DomainError:
    held = RefreshToken.objects.select_related("session__user").filter(token_hash=_hash(token)).first()
    if held is None:
        return TokenInvalid("The refresh token is not valid. Sign in again.")
    session = held.session
    if session.revoked_at is not None or not session.user.is_active:
        return SessionRevoked("The session was closed. Sign in again.")
    if held.consumed_at is None and held.expires_at <= now:
        return TokenExpired("The refresh token has expired. Sign in again.")
    # Only the row's own columns stand in the condition: a joined one would not be read again after the lock's
    # wait.
    if RefreshToken.objects.filter(pk=held.pk, consumed_at=None).update(consumed_at=now):
        crashpoints.reach("users.refresh_consumed")
        Session.objects.filter(pk=session.pk).update(last_seen_at=now, ip=device.ip)
        return _issue(session, _successor(token), parent=held, now=now)
    held.refresh_from_db(fields=["consumed_at"])
    in_grace = held.consumed_at is not None and now - held.consumed_at <= settings.REFRESH_GRACE
    if in_grace and _same_device(session, device):
        return _access(session, _successor(token), now)
    _revoke(session, reason=RevokedReason.TOKEN_REUSED, now=now, tell=True)
    return TokenReused("This refresh token was used before, so the session is closed. Sign in again.")


def _same_device(session: Session, device: Device) -> bool:
    """Say whether the device is the session's: by its id where it has one, else by its user agent."""
    if session.device_id is not None:
        return session.device_id == device.device_id
    return device.device_id is None and session.user_agent == device.user_agent


def _issue(session: Session, token: str, *, parent: RefreshToken | None, now: datetime) -> Credentials:
    RefreshToken.objects.create(
        session=session,
        token_hash=_hash(token),
        parent=parent,
        issued_at=now,
        expires_at=now + settings.REFRESH_TOKEN_LIFETIME,
    )
    return _access(session, token, now)


def _access(session: Session, refresh_token: str, now: datetime) -> Credentials:
    access, expires_at = tokens.issue(user_id=session.user_id, session_id=session.pk, now=now)
    return Credentials(session.user, session, access, expires_at, refresh_token)


def _hash(token: str) -> bytes:
    """Hash a token as it is stored; 256 bits of randomness need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def _successor(token: str) -> str:
    """Derive the one token that may follow this one."""
    message = b"refresh-successor|" + token.encode()
    digest = hmac.digest(settings.REFRESH_TOKEN_SECRET.encode(), message, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _revoke(session: Session, *, reason: RevokedReason, now: datetime, tell: bool = False) -> bool:
    """Close a session in the caller's transaction; returns whether it was still open."""
    closed = Session.objects.filter(pk=session.pk, revoked_at=None).update(
        revoked_at=now, revoked_reason=reason
    )
    if closed and tell:
        payload = {"session_id": str(session.pk), "reason": str(reason)}
        publish(type="session.revoked", user_id=session.user_id, payload=payload)
    return bool(closed)


@transaction.atomic
def sign_out(*, token: str, now: datetime) -> None:
    """Close the session that this refresh token belongs to, used or not; an unknown token changes nothing."""
    held = RefreshToken.objects.select_related("session").filter(token_hash=_hash(token)).first()
    if held is not None:
        _revoke(held.session, reason=RevokedReason.SIGNED_OUT, now=now)


@transaction.atomic
def end_session(*, user_id: UUID, session_id: UUID, now: datetime) -> None:
    """Close one of the user's own sessions; raises NotFound when it is not theirs or no longer open."""
    session = Session.objects.filter(pk=session_id, user_id=user_id).first()
    if session is None or not _revoke(session, reason=RevokedReason.ENDED_BY_USER, now=now):
        raise NotFound


def close_all(*, user_id: UUID, reason: RevokedReason, now: datetime) -> int:
    """Close every session of the user, the asking one too; returns how many were open."""
    return Session.objects.filter(user_id=user_id, revoked_at=None).update(
        revoked_at=now, revoked_reason=reason
    )


@transaction.atomic
def end_session_by_staff(*, session_id: UUID, actor: User, reason: str, now: datetime) -> None:
    """Close a customer's session and tell them; raises NotFound when it is not open."""
    session = Session.objects.filter(pk=session_id).first()
    if session is None or not _revoke(session, reason=RevokedReason.ENDED_BY_STAFF, now=now, tell=True):
        raise NotFound("This session is not open.")
    audit.record(actor=actor, action="session.revoked", target=session, reason=reason)


def forget_ended(*, now: datetime) -> int:
    """Delete sessions that nothing can open any more and nobody asks about; returns how many.

    A session is kept while one of its tokens lives, and ``KEPT_FOR`` longer, so that a token that is used again late is
    still recognised. Its tokens go with it, never alone: a chain with a gap could not tell reuse.
    """
    long_gone = now - KEPT_FOR
    alive = RefreshToken.objects.filter(session=OuterRef("pk"), expires_at__gt=long_gone)
    ended = Session.objects.filter(~Exists(alive), last_seen_at__lte=long_gone)
    return delete_in_batches(ended.order_by("last_seen_at"), batch=FORGET_BATCH, batches=FORGET_BATCHES)
