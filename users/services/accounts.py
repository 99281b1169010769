"""Accounts: sign-up and the profile."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from fintech_core import audit, clock
from fintech_core.exceptions import FieldError, NotFound, constraint_of
from fintech_core.state import IllegalTransition
from notifications.services import publish
from users.devices import Device
from users.enums import RevokedReason
from users.errors import AccountStatusConflict, PasswordRefused
from users.models import User
from users.past_names import PROFILE_CHANGED
from users.services import sessions
from users.services.own_cases import forbid_own_case

EDITABLE = frozenset({"first_name", "last_name", "language"})
EMAIL_CONSTRAINT = "user_email_is_unique"


def register(
    *,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    phone: str | None = None,
    referral_code: str | None = None,
    device: Device,
    now: datetime,
) -> sessions.Credentials:
    """Create a customer and sign them in.

    ``email`` is lower-cased here, ``phone`` is E.164. The referral code is kept as given; whoever rewards it
    finds it on the row. Raises FieldError ``email_taken``, ``unknown_referral_code``, and PasswordRefused
    with every reason.
    """
    user = User(
        email=email.strip().lower(),
        first_name=first_name,
        last_name=last_name,
        phone=phone,
        referred_by_code=referral_code,
    )
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused("password", error.error_list) from None
    if (
        referral_code is not None
        and not User.objects.filter(referral_code=referral_code, is_active=True).exists()
    ):
        raise FieldError("referral_code", "unknown_referral_code", "Nobody has this referral code.")
    user.password = make_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            publish(type="user.registered", user_id=user.pk, payload={})
            return sessions.open_session(user=user, device=device, now=now)
    except IntegrityError as error:
        if constraint_of(error) == EMAIL_CONSTRAINT:
            raise FieldError("email", "email_taken", "This e-mail address has an account already.") from None
        raise


@transaction.atomic
def update_profile(*, user_id: UUID, changes: dict[str, Any]) -> User:
    """Change names or language and return the user; before and after stand in the audit log.

    Past names are told from there (``users.past_names``), beside what the ledger recorded: so the time is the
    database's, read with the user locked.

    Raises IllegalTransition when the caller passes anything else: a bug.
    """
    if not changes.keys() <= EDITABLE:
        raise IllegalTransition(f"a profile edit may not change {sorted(changes.keys() - EDITABLE)}")
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    told = {
        name: [getattr(user, name), value] for name, value in changes.items() if getattr(user, name) != value
    }
    if told:
        for name, (_, after) in told.items():
            setattr(user, name, after)
        user.save(update_fields=sorted(told))
        audit.record(actor=user, action=PROFILE_CHANGED, target=user, changes=told, at=clock.database_now())
    return user


@transaction.atomic
def suspend(*, user_id: UUID, actor: User, reason: str, now: datetime) -> None:
    """Keep a customer from signing in and close every session of theirs; audited.

    Access tokens stop working with their sessions. Raises NotFound, OwnCase for oneself,
    AccountStatusConflict.
    """
    user = _set_active(user_id, actor, active=False)
    closed = sessions.close_all(user_id=user.pk, reason=RevokedReason.ENDED_BY_STAFF, now=now)
    audit.record(
        actor=actor, action="user.suspended", target=user, reason=reason, changes={"sessions": [closed, 0]}
    )


@transaction.atomic
def reinstate(*, user_id: UUID, actor: User, reason: str) -> None:
    """Let a suspended customer sign in again; audited. Raises NotFound, OwnCase, AccountStatusConflict."""
    user = _set_active(user_id, actor, active=True)
    audit.record(actor=actor, action="user.reinstated", target=user, reason=reason)


def _set_active(user_id: UUID, actor: User, *, active: bool) -> User:
    forbid_own_case(user_id, actor=actor, detail="Somebody else has to decide about your account.")
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound
    if not User.objects.filter(pk=user_id, is_active=not active).update(is_active=active):
        raise AccountStatusConflict(f"The account is {'active' if active else 'suspended'} already.")
    return user
