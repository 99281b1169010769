"""Cashback as its owner sees it: what was earned, how much there is, redeeming it."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cashback import selectors, services
from cashback.serializers import (
    RedeemRequest,
    RewardResponse,
    RewardsQuery,
    SummaryQuery,
    SummaryResponse,
)
from fintech_core import clock
from fintech_core.api import PAGING, ApiViewSet
from fintech_core.headers import IDEMPOTENCY_KEY, IF_MATCH
from fintech_core.idempotency import Answer
from transactions import rendering
from transactions.serializers import TransactionResponse
from users.authentication import signed_in_user


@extend_schema(tags=["cashback"])
class CashbackViewSet(ApiViewSet):
    """Rewards, their sum, and redeeming."""

    money_actions: ClassVar = frozenset({"redeem"})
    query_parameters: ClassVar = {
        "history": PAGING | {"currency", "status"},
        "summary": frozenset({"currency"}),
    }

    @extend_schema(parameters=[RewardsQuery], responses=RewardResponse(many=True))
    def history(self, request: Request) -> Response:
        """List what was earned, newest first."""
        query = self.read_query(RewardsQuery)
        rewards = selectors.list_rewards_for(user=signed_in_user(request), **query)
        return self.get_paginated_response(RewardResponse(self.paginate_queryset(rewards), many=True).data)

    @extend_schema(operation_id="get_cashback_summary", parameters=[SummaryQuery], responses=SummaryResponse)
    def summary(self, request: Request) -> Response:
        """Sum up what was earned in one currency."""
        query = self.read_query(SummaryQuery)
        found = selectors.get_summary_for(user=signed_in_user(request), **query)
        return Response(SummaryResponse(found).data)

    @extend_schema(
        operation_id="redeem_cashback",
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=RedeemRequest,
        responses={201: TransactionResponse},
    )
    def redeem(self, request: Request) -> Response:
        """Move cashback to the main wallet: a part of it, or everything."""
        user, body = signed_in_user(request), self.read_body(RedeemRequest)

        def work() -> Answer:
            if_match = request.headers.get("If-Match")
            moved = services.redeem(user=user, **body, now=clock.now(), if_match=if_match)
            return rendering.answer(moved.pk)

        return self.respond(self.answer_once(operation="redeem_cashback", body=body, work=work))
