"""The route of what a customer's tier allows."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import ApiViewSet
from transactions import selectors
from transactions.serializers.limits import LIMITS_SCHEMA
from users.authentication import signed_in_user


@extend_schema(tags=["profile"])
class LimitsViewSet(ApiViewSet):
    """What the customer's tier allows."""

    pagination_class = None

    @extend_schema(operation_id="get_limits", responses={200: LIMITS_SCHEMA})
    def retrieve(self, request: Request) -> Response:
        """Show, per currency, each limit with what is used, what is left and when it resets."""
        limits: dict[str, Any] = selectors.limits_of(user=signed_in_user(request), at=clock.now())
        return Response(limits)
