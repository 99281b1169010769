"""Asking the verifier: claimed with a lease, asked without a transaction, settled in one.

Nothing but a definite answer about our own reference changes a tier. After five questions without one, a
person looks. The same reference is looked up before it is sent a second time, because a check is paid for.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from fintech_core import attempts, audit, clock, crashpoints, jobs, state
from fintech_core.outcomes import ProviderError
from users.enums import KYC_SOURCES, KycStatus
from users.models import KycCase
from users.services import kyc
from users.verifiers import registry
from users.verifiers.base import IdentityAnswer, IdentityCheck, Verdict

log = structlog.get_logger(__name__)

LEASE = attempts.lease_for(vendor_calls=2)
MAX_CHECKS = 5
PAUSES_S = (5, 15, 30, 60)
SWEEP_LIMIT = 100
NO_MATCH = "The document does not match your name and date of birth."
NO_ANSWER = "The verifier gave no answer; a person has to look."
DUPLICATE = "Another customer was approved with this document; a person has to look."


def sweep(*, now: datetime) -> int:
    """Ring for every case that is due or whose lease ran out; returns how many."""
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    due = KycCase.objects.filter(free, status=KycStatus.SUBMITTED, next_check_at__lte=now)
    case_ids = list(due.order_by("next_check_at").values_list("pk", flat=True)[:SWEEP_LIMIT])
    for case_id in case_ids:
        jobs.enqueue("users.verify_kyc", str(case_id))
    return len(case_ids)


def verify_case(*, case_id: UUID) -> None:
    """Ask the verifier about one case and settle it; does nothing while it is not due or claimed."""
    for case in attempts.claim(KycCase.objects.filter(status=KycStatus.SUBMITTED), pk=case_id, lease=LEASE):
        crashpoints.reach("users.kyc_claimed")
        answer = _ask(case)
        crashpoints.reach("users.kyc_answered")
        settle(claimed=case, answer=answer, now=clock.now())


def _ask(case: KycCase) -> IdentityAnswer | None:
    """Return the verifier's definite answer, or None when there is none yet."""
    question = IdentityCheck(
        reference=str(case.pk),
        document_type=case.document_type,
        document_number=case.document_number,
        date_of_birth=case.date_of_birth,
        first_name=case.user.first_name,
        last_name=case.user.last_name,
    )
    verifier = registry.verifier()
    try:
        known = verifier.find(question.reference) if case.lease_number > 1 else None
        return known or verifier.check(question)
    except ProviderError as error:
        report = log.error if error.alarm else log.warning
        report(
            "identity_check_unknown", case_id=question.reference, outcome=str(error.outcome), fault=error.code
        )
        return None


@transaction.atomic
def settle(*, claimed: KycCase, answer: IdentityAnswer | None, now: datetime) -> None:
    """Write what the answer means, if the claim still holds: a later claim or a person goes first."""
    case = (
        KycCase.objects.select_for_update(no_key=True)
        .filter(pk=claimed.pk, status=KycStatus.SUBMITTED, lease_number=claimed.lease_number)
        .first()
    )
    if case is None:
        log.info("identity_check_superseded", case_id=str(claimed.pk))
    elif answer is None:
        _ask_again(case, now)
    elif answer.verdict is Verdict.REJECTED:
        kyc.settle_rejected(case, actor=None, reason=answer.reason or NO_MATCH, now=now)
    elif answer.verdict is Verdict.REVIEW:
        _to_review(case, answer.reason)
    elif kyc.claim_document(case, now):
        kyc.settle_approved(case, actor=None, reason=answer.reason, now=now)
    else:
        _to_review(case, DUPLICATE)


def _ask_again(case: KycCase, now: datetime) -> None:
    """Make the case due again, later each time; hand it to a person when the questions are used up."""
    case.checks += 1
    if case.checks >= MAX_CHECKS:
        _to_review(case, NO_ANSWER)
        return
    pause = timedelta(seconds=PAUSES_S[case.checks - 1])
    KycCase.objects.filter(pk=case.pk).update(checks=case.checks, next_check_at=now + pause, lease_until=None)


def _to_review(case: KycCase, reason: str) -> None:
    state.move(
        KycCase,
        case.pk,
        to=KycStatus.IN_REVIEW,
        sources=KYC_SOURCES,
        reason=reason,
        checks=case.checks,
        next_check_at=None,
        lease_until=None,
    )
    audit.record(
        actor=None,
        action="kyc.in_review",
        target=case,
        reason=reason,
        changes={"status": [KycStatus.SUBMITTED, KycStatus.IN_REVIEW]},
    )
