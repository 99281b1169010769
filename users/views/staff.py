"""Staff: the queue of identity cases."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import PAGING, ApiViewSet
from users import selectors
from users.authentication import signed_in_user
from users.models import KycCase
from users.permissions import StaffPermission
from users.serializers.kyc import (
    ApproveKycRequest,
    RejectKycRequest,
    StaffKycCaseResponse,
    StaffKycQuery,
)
from users.services import kyc

DECIDE = "users.decide_kyc"


@extend_schema(tags=["staff"])
class StaffKycViewSet(ApiViewSet):
    """Identity cases, decided by people who may; nobody decides their own."""

    permission_classes = (IsAuthenticated, StaffPermission)
    staff_permissions: ClassVar = {"list": DECIDE, "approve": DECIDE, "reject": DECIDE}
    query_parameters: ClassVar = {"list": PAGING | {"status"}}

    @extend_schema(
        operation_id="list_kyc_cases", parameters=[StaffKycQuery], responses=StaffKycCaseResponse(many=True)
    )
    def list(self, request: Request) -> Response:
        """List the cases, newest first."""
        page = self.paginate_queryset(selectors.list_cases(**self.read_query(StaffKycQuery)))
        return self.get_paginated_response(StaffKycCaseResponse(page, many=True).data)

    @extend_schema(operation_id="approve_kyc", request=ApproveKycRequest, responses=StaffKycCaseResponse)
    def approve(self, request: Request, pk: UUID) -> Response:
        """Approve a case: the customer's tier rises at once."""
        body = self.read_body(ApproveKycRequest)
        case = kyc.approve(case_id=pk, actor=signed_in_user(request), **body, now=clock.now())
        return self._told(case)

    @extend_schema(operation_id="reject_kyc", request=RejectKycRequest, responses=StaffKycCaseResponse)
    def reject(self, request: Request, pk: UUID) -> Response:
        """Reject a case; the customer reads the reason."""
        body = self.read_body(RejectKycRequest)
        case = kyc.reject(case_id=pk, actor=signed_in_user(request), **body, now=clock.now())
        return self._told(case)

    def _told(self, case: KycCase) -> Response:
        return Response(StaffKycCaseResponse(selectors.get_case(case.pk)).data)
