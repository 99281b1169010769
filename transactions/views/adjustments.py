"""The route by which staff ask for a correction of a wallet."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import ApiViewSet
from fintech_core.exceptions import NotFound
from fintech_core.headers import IDEMPOTENCY_KEY
from fintech_core.idempotency import Answer
from transactions.approval_rendering import APPROVALS, answer_for
from transactions.enums import ApprovalKind, Direction
from transactions.rights import ASK
from transactions.serializers.adjustments import AdjustmentRequest
from transactions.serializers.approvals import ApprovalAskedResponse
from transactions.services import adjustments
from users.authentication import signed_in_user
from users.permissions import StaffPermission
from wallet.selectors import find_wallet_of_anybody


@extend_schema(tags=["staff"])
class StaffAdjustmentViewSet(ApiViewSet):
    """Asking for a correction of a wallet; somebody else books it."""

    permission_classes = (IsAuthenticated, StaffPermission)
    money_actions: ClassVar = frozenset({"create"})
    staff_permissions: ClassVar = {"create": ASK[ApprovalKind.ADJUSTMENT]}

    @extend_schema(
        operation_id="request_adjustment",
        parameters=[IDEMPOTENCY_KEY],
        request=AdjustmentRequest,
        responses={202: ApprovalAskedResponse},
    )
    def create(self, request: Request) -> Response:
        """Ask for money into (credit) or out of (debit) a wallet, with a reason; another person decides."""
        wallet = find_wallet_of_anybody(named=dict(request.data).get("wallet"))
        body = self.read_body(AdjustmentRequest, **({"currency": wallet.currency} if wallet else {}))
        if wallet is None:
            raise NotFound
        maker = signed_in_user(request)

        def work() -> Answer:
            asked = adjustments.request_adjustment(
                wallet=wallet,
                direction=Direction(body["direction"]),
                amount=body["amount"],
                reason=body["reason"],
                effective_at=body.get("effective_at"),
                maker=maker,
                now=clock.now(),
            )
            return answer_for(asked)

        answer = self.answer_once(
            operation="request_adjustment",
            body=body,
            work=work,
            concerning=(wallet.owner_id,),
        )
        return self.respond(answer, where=APPROVALS)
