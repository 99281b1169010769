"""Routes by which a second person decides what moves money by hand."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import PAGING, ApiViewSet
from fintech_core.idempotency import Answer
from fintech_core.models import ApprovalRequest
from fintech_core.pagination import NewestFirst
from transactions import selectors
from transactions.rights import ASK, DECIDE, VIEW
from transactions.serializers.approvals import (
    ApprovalQuery,
    ApprovalResponse,
    ApproveRequest,
    RejectRequest,
)
from transactions.services import approvals
from users.authentication import signed_in_user
from users.permissions import StaffPermission


class ByRequest(NewestFirst):
    """What was asked for last comes first."""

    ordering = ("-requested_at", "-id")


@extend_schema(tags=["staff"])
class StaffApprovalViewSet(ApiViewSet):
    """What waits for a second person. Each kind has permissions of its own, to see it and to decide it."""

    permission_classes = (IsAuthenticated, StaffPermission)
    pagination_class = ByRequest
    query_parameters: ClassVar = {"list": PAGING | {"status", "kind"}}
    money_actions: ClassVar = frozenset({"approve"})
    staff_permissions: ClassVar = {
        "list": frozenset(VIEW.values()),
        "retrieve": frozenset([*VIEW.values(), *ASK.values()]),
        "approve": frozenset(DECIDE.values()),
        "reject": frozenset(DECIDE.values()),
    }

    @extend_schema(
        operation_id="list_approvals", parameters=[ApprovalQuery], responses=ApprovalResponse(many=True)
    )
    def list(self, request: Request) -> Response:
        """List what was asked for, newest first, of the kinds that you may see."""
        query, user = self.read_query(ApprovalQuery), signed_in_user(request)
        kinds = [kind for kind, permission in VIEW.items() if user.has_perm(permission)]
        rows = selectors.approvals(kinds=kinds).filter(**query)
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response(ApprovalResponse(page, many=True).data)

    @extend_schema(operation_id="get_approval", responses=ApprovalResponse)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show what was asked for, and what came of it, to whoever asked, too."""
        asked = selectors.get_approval(request_id=pk)
        if asked.requested_by_id != signed_in_user(request).pk:
            asked = self._permitted(pk, VIEW)
        return Response(ApprovalResponse(asked).data)

    @extend_schema(operation_id="approve", request=ApproveRequest, responses=ApprovalResponse)
    def approve(self, request: Request, pk: UUID) -> Response:
        """Carry out what somebody else asked for, once."""
        body, checker = self.read_body(ApproveRequest), signed_in_user(request)
        asked = self._permitted(pk, DECIDE)

        def work() -> Answer:
            approvals.approve(request_id=pk, checker=checker, reason=body["reason"], now=clock.now())
            return Answer(200, ApprovalResponse(selectors.get_approval(request_id=pk)).data)

        return self.respond(self.answer_by_state(work=work, concerning=selectors.concerned_by(asked)))

    @extend_schema(operation_id="reject", request=RejectRequest, responses=ApprovalResponse)
    def reject(self, request: Request, pk: UUID) -> Response:
        """Reject what somebody else asked for; nothing moves."""
        body, checker = self.read_body(RejectRequest), signed_in_user(request)
        self._permitted(pk, DECIDE)
        approvals.reject(request_id=pk, checker=checker, reason=body["reason"], now=clock.now())
        return Response(ApprovalResponse(selectors.get_approval(request_id=pk)).data)

    def _permitted(self, request_id: UUID, permissions: dict[str, str]) -> ApprovalRequest:
        """Return a request of a kind that this person has the permission for. Raises NotFound, PermissionDenied."""
        asked = selectors.get_approval(request_id=request_id)
        if not signed_in_user(self.request).has_perm(permissions[asked.kind]):
            raise PermissionDenied
        return asked
