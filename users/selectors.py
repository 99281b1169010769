"""Reads of this app, scoped by owner; the staff ones say so."""

import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from fintech_core.exceptions import NotFound
from users.enums import KycStatus
from users.models import KycCase, Session, TransactionPin, User

NO_CASE = "none"
POLL_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person sees of themselves."""

    user: User
    kyc_status: str
    has_pin: bool


def get_profile(user: User) -> Profile:
    """Return the user's profile; ``kyc_status`` is ``none`` before the first case."""
    latest = (
        KycCase.objects.filter(user=user)
        .order_by("-created_at", "-id")
        .values_list("status", flat=True)
        .first()
    )
    return Profile(user, latest or NO_CASE, TransactionPin.objects.filter(user=user).exists())


def get_user_by_email(email: str) -> User:
    """Return the user with this address, for operators; raises NotFound."""
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        raise NotFound(f"Nobody has the address {email}.")
    return user


def list_sessions_for(*, user_id: UUID, now: datetime) -> QuerySet[Session]:
    """Return the user's sessions that can still be refreshed."""
    return Session.objects.filter(
        user_id=user_id, revoked_at=None, last_seen_at__gt=now - settings.REFRESH_TOKEN_LIFETIME
    )


def get_session_for(*, user_id: UUID, session_id: UUID, now: datetime) -> Session:
    """Return one open session of this user; raises NotFound."""
    session = list_sessions_for(user_id=user_id, now=now).filter(pk=session_id).first()
    if session is None:
        raise NotFound
    return session


def latest_case_for(*, user_id: UUID) -> KycCase:
    """Return the user's latest identity case; raises NotFound before the first one."""
    case = KycCase.objects.filter(user_id=user_id).order_by("-created_at", "-id").first()
    if case is None:
        raise NotFound("You have not started an identity check.")
    return case


def wait_for_decision(*, user_id: UUID, wait_s: float) -> KycCase:
    """Return the user's latest case, giving the verifier at most ``wait_s`` seconds to answer first."""
    deadline = time.monotonic() + wait_s
    case = latest_case_for(user_id=user_id)
    while case.status == KycStatus.SUBMITTED and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(POLL_INTERVAL_S, left))
        case = latest_case_for(user_id=user_id)
    return case


def list_cases(*, status: str | None = None) -> QuerySet[KycCase]:
    """Return every identity case, for staff."""
    cases = KycCase.objects.select_related("user", "decided_by").defer("document_number")
    return cases.filter(status=status) if status else cases


def get_case(case_id: UUID) -> KycCase:
    """Return one identity case, for staff; raises NotFound."""
    case = list_cases().filter(pk=case_id).first()
    if case is None:
        raise NotFound
    return case
