"""Identity cases as people handle them: handing one in, approving it, rejecting it."""

import re
from datetime import date, datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from fintech_core import audit, crypto, jobs, state
from fintech_core.database.atomic import require_transaction
from fintech_core.exceptions import NotFound, constraint_of
from notifications.services import publish
from users.enums import AUTOMATIC_TIER, KYC_SOURCES, KycStatus
from users.errors import DocumentInUse, KycCaseClosed, KycCaseOpen, KycTierReached
from users.models import IdentityDocument, KycCase, User
from users.services.own_cases import forbid_own_case

ONE_OPEN_CASE = "kyc_one_open_case_per_user"


def submit(
    *,
    user: User,
    tier: int,
    document_type: str,
    document_number: str,
    date_of_birth: date,
    address: str = "",
    now: datetime,
) -> KycCase:
    """Open a case. Tier 1 is due at the verifier at once, the tiers above wait for a person.

    Raises KycTierReached and KycCaseOpen.
    """
    if user.kyc_tier >= tier:
        raise KycTierReached(f"You are at tier {user.kyc_tier} already.")
    automatic = tier == AUTOMATIC_TIER
    case = KycCase(
        user=user,
        tier=tier,
        status=KycStatus.SUBMITTED if automatic else KycStatus.IN_REVIEW,
        document_type=document_type,
        document_number=document_number,
        document_fingerprint=document_fingerprint(document_type, document_number),
        date_of_birth=date_of_birth,
        address=address,
        created_at=now,
        next_check_at=now if automatic else None,
    )
    try:
        with transaction.atomic():
            case.save(force_insert=True)
            publish(type="kyc.submitted", user_id=user.pk, payload=_facts(case))
            if automatic:
                jobs.enqueue("users.verify_kyc", str(case.pk))
    except IntegrityError as error:
        if constraint_of(error) == ONE_OPEN_CASE:
            raise KycCaseOpen("Wait until your open identity check is decided.") from None
        raise
    return case


def document_fingerprint(document_type: str, document_number: str) -> bytes:
    """Compute the keyed hash by which a document is recognised, whatever its spacing or case."""
    canonical = re.sub(r"[^0-9A-Z]", "", document_number.upper())
    return crypto.fingerprint(canonical, f"users.identity_document.{document_type}")


@transaction.atomic
def approve(*, case_id: UUID, actor: User, reason: str = "", now: datetime) -> KycCase:
    """Approve a case by a person; the tier rises in the same transaction.

    Raises NotFound, OwnCase, KycCaseClosed, DocumentInUse.
    """
    case = _for_decision(case_id, actor)
    if not claim_document(case, now):
        raise DocumentInUse("Another customer was approved with this document.")
    return settle_approved(case, actor=actor, reason=reason, now=now)


@transaction.atomic
def reject(*, case_id: UUID, actor: User, reason: str, now: datetime) -> KycCase:
    """Reject a case by a person; the customer is told the reason. Raises NotFound, OwnCase, KycCaseClosed."""
    case = _for_decision(case_id, actor)
    return settle_rejected(case, actor=actor, reason=reason, now=now)


def _for_decision(case_id: UUID, actor: User) -> KycCase:
    case = KycCase.objects.select_for_update(no_key=True).filter(pk=case_id).first()
    if case is None:
        raise NotFound
    forbid_own_case(case.user_id, actor=actor, detail="Somebody else has to decide your case.")
    return case


def claim_document(case: KycCase, now: datetime) -> bool:
    """Say whether the document is this user's, making it theirs when it is nobody's yet."""
    require_transaction("kyc.claim_document")
    document, _ = IdentityDocument.objects.get_or_create(
        document_type=case.document_type,
        fingerprint=bytes(case.document_fingerprint),
        defaults={"user_id": case.user_id, "created_at": now},
    )
    return bool(document.user_id == case.user_id)


def settle_approved(case: KycCase, *, actor: User | None, reason: str, now: datetime) -> KycCase:
    """Approve a locked case whose document is claimed: status, tier, audit and event in one transaction.

    The tier never falls here. Raises KycCaseClosed when the case is final.
    """
    before = case.status
    _decide(case, KycStatus.APPROVED, actor=actor, reason=reason, now=now)
    tier_before = User.objects.values_list("kyc_tier", flat=True).get(pk=case.user_id)
    User.objects.filter(pk=case.user_id, kyc_tier__lt=case.tier).update(kyc_tier=case.tier)
    changes = {"status": [before, case.status], "kyc_tier": [tier_before, max(tier_before, case.tier)]}
    audit.record(actor=actor, action="kyc.approved", target=case, reason=reason, changes=changes)
    publish(type="kyc.approved", user_id=case.user_id, payload=_facts(case))
    return case


def settle_rejected(case: KycCase, *, actor: User | None, reason: str, now: datetime) -> KycCase:
    """Reject a locked case: status, audit and event. Raises KycCaseClosed when the case is final."""
    before = case.status
    _decide(case, KycStatus.REJECTED, actor=actor, reason=reason, now=now)
    changes = {"status": [before, case.status]}
    audit.record(actor=actor, action="kyc.rejected", target=case, reason=reason, changes=changes)
    publish(type="kyc.rejected", user_id=case.user_id, payload={**_facts(case), "reason": reason})
    return case


def _decide(case: KycCase, to: KycStatus, *, actor: User | None, reason: str, now: datetime) -> None:
    require_transaction("kyc.decide")
    moved = state.move(
        KycCase,
        case.pk,
        to=to,
        sources=KYC_SOURCES,
        decided_by=actor,
        decided_at=now,
        reason=reason,
        next_check_at=None,
        lease_until=None,
    )
    if not moved:
        raise KycCaseClosed(f"This case is {case.status}.")
    case.refresh_from_db()


def _facts(case: KycCase) -> dict[str, object]:
    return {"case_id": str(case.pk), "tier": case.tier}
