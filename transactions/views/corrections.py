"""Routes by which staff correct wallets."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import PAGING, ApiViewSet
from fintech_core.headers import IDEMPOTENCY_KEY
from fintech_core.idempotency import Answer
from fintech_core.pagination import NewestFirst
from transactions import selectors
from transactions.enums import Direction
from transactions.models import Adjustment
from transactions.serializers.corrections import (
    STATUSES,
    AdjustmentRequest,
    AdjustmentResponse,
    ApprovalQuery,
    ApprovalResponse,
    ApproveRequest,
    RejectRequest,
)
from transactions.services import adjustments
from users.authentication import signed_in_user
from users.permissions import StaffPermission


@extend_schema(tags=["staff"])
class StaffAdjustmentViewSet(ApiViewSet):
    """Asking for a correction of a wallet; somebody else books it."""

    permission_classes = (IsAuthenticated, StaffPermission)
    money_actions: ClassVar = frozenset({"create"})
    staff_permissions: ClassVar = {"create": "transactions.add_adjustment"}

    @extend_schema(
        operation_id="request_adjustment",
        parameters=[IDEMPOTENCY_KEY],
        request=AdjustmentRequest,
        responses={202: AdjustmentResponse},
    )
    def create(self, request: Request) -> Response:
        """Ask for money into (credit) or out of (debit) a wallet, with a reason; another person decides."""
        body = self.read_body(AdjustmentRequest)
        maker = signed_in_user(request)
        wallet, effective_at = body["wallet"], body.get("effective_at")

        def work() -> Answer:
            asked = adjustments.request_adjustment(
                wallet=wallet,
                direction=Direction(body["direction"]),
                amount=body["amount"],
                reason=body["reason"],
                effective_at=effective_at,
                maker=maker,
                now=clock.now(),
            )
            return Answer(202, {"approval_id": str(asked.pk)})

        answer = self.answer_once(
            operation="request_adjustment",
            body={**body, "wallet": str(wallet.pk)},
            work=work,
            concerning=(wallet.owner_id,),
        )
        return self.respond(answer)


class ByRequest(NewestFirst):
    """What was asked for last comes first."""

    ordering = ("-requested_at", "-id")


@extend_schema(tags=["staff"])
class StaffApprovalViewSet(ApiViewSet):
    """What waits for a second person."""

    permission_classes = (IsAuthenticated, StaffPermission)
    pagination_class = ByRequest
    query_parameters: ClassVar = {"list": PAGING | {"status"}}
    money_actions: ClassVar = frozenset({"approve"})
    staff_permissions: ClassVar = {
        "list": "transactions.view_adjustment",
        "approve": "transactions.decide_adjustment",
        "reject": "transactions.decide_adjustment",
    }

    @extend_schema(
        operation_id="list_approvals", parameters=[ApprovalQuery], responses=ApprovalResponse(many=True)
    )
    def list(self, request: Request) -> Response:
        """List what was asked for, newest first."""
        query = self.read_query(ApprovalQuery)
        wanted = [status for status, told in STATUSES.items() if query.get("status") in {None, told}]
        page = self.paginate_queryset(Adjustment.objects.filter(status__in=wanted)) or []
        return self.get_paginated_response(ApprovalResponse(page, many=True).data)

    @extend_schema(operation_id="approve", request=ApproveRequest, responses=ApprovalResponse)
    def approve(self, request: Request, pk: UUID) -> Response:
        """Book what somebody else asked for, once."""
        body, checker = self.read_body(ApproveRequest), signed_in_user(request)
        owner_id = selectors.get_adjustment(adjustment_id=pk).wallet.owner_id

        def work() -> Answer:
            decided = adjustments.book_adjustment(
                adjustment_id=pk, checker=checker, reason=body["reason"], now=clock.now()
            )
            return Answer(200, ApprovalResponse(decided).data)

        return self.respond(self.answer_by_state(work=work, concerning=(owner_id,)))

    @extend_schema(operation_id="reject", request=RejectRequest, responses=ApprovalResponse)
    def reject(self, request: Request, pk: UUID) -> Response:
        """Reject what somebody else asked for; nothing moves."""
        body = self.read_body(RejectRequest)
        decided = adjustments.reject_adjustment(
            adjustment_id=pk, checker=signed_in_user(request), reason=body["reason"], now=clock.now()
        )
        return Response(ApprovalResponse(decided).data)
