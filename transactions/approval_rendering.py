"""How a request that waits for a second person answers whoever asked, then and when they ask again."""

from typing import Any
from uuid import UUID

from fintech_core import dry_run
from fintech_core.approvals import ApprovalRejected
from fintech_core.exceptions import domain_problem
from fintech_core.idempotency import Answer
from fintech_core.models import ApprovalRequest, ApprovalStatus
from transactions.rendering import render
from transactions.selectors import get_approval, with_parties

DOCUMENT = "approval"
APPROVALS = "/api/v1/admin/approvals"


def answer(approval_id: UUID) -> Answer:
    """Answer from the state of a request: 202 while it is open, then 201 with what came of it or 422."""
    return answer_for(get_approval(request_id=approval_id))


def answer_for(asked: ApprovalRequest) -> Answer:
    """Answer like ``answer`` for a request that was just made or read; one of a dry run has no id to ask for."""
    document = (DOCUMENT, asked.pk)
    if asked.status == ApprovalStatus.PENDING:
        told: dict[str, Any] = {"approval_id": None if dry_run.is_running() else str(asked.pk)}
        return Answer(202, told, is_final=False, document=document)
    if asked.status == ApprovalStatus.REJECTED:
        refusal = ApprovalRejected("Somebody else rejected it; nothing moved.", approval_id=str(asked.pk))
        return Answer(refusal.status, domain_problem(refusal, None), document=document)
    made = with_parties().get(pk=asked.result_id)
    return Answer(201, render(made, viewer_id=asked.requested_by_id), document=document)
