"""Routes that convert money between the customer's own wallets."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import ApiViewSet
from fintech_core.headers import IDEMPOTENCY_KEY, IF_MATCH
from fintech_core.idempotency import Answer
from fintech_core.throttling import Rate
from transactions.rendering import NEWLY_MADE, render
from transactions.serializers import TransactionResponse
from transactions.serializers.conversions import (
    ConversionQuoteRequest,
    ConversionQuoteResponse,
    ConvertRequest,
)
from transactions.services import conversions
from users.authentication import signed_in_user
from users.services import pins


@extend_schema(tags=["wallet"])
class ConversionViewSet(ApiViewSet):
    """Converting by a quote."""

    money_actions: ClassVar = frozenset({"create"})
    rate_limits: ClassVar = {
        "quote": (Rate(60, 60, "user", "conversion_quote"),),
        "create": (Rate(30, 60, "user", "conversion"),),
    }

    @extend_schema(
        operation_id="quote_conversion", request=ConversionQuoteRequest, responses=ConversionQuoteResponse
    )
    def quote(self, request: Request) -> Response:
        """Show what an amount makes in another currency; the quote holds for a minute."""
        body = self.read_body(ConversionQuoteRequest)
        quote = conversions.quote_conversion(user=signed_in_user(request), now=clock.now(), **body)
        return Response(ConversionQuoteResponse(quote).data)

    @extend_schema(
        operation_id="convert",
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=ConvertRequest,
        responses={201: TransactionResponse},
    )
    def create(self, request: Request) -> Response:
        """Convert by a quote; needs the PIN and happens once per quote and Idempotency-Key."""
        body = self.read_body(ConvertRequest)
        user = signed_in_user(request)
        pin = body.pop("pin", None)

        def work() -> Answer:
            done = conversions.convert(
                user=user,
                quote_id=body["quote_id"],
                now=clock.now(),
                if_match=request.headers.get("If-Match"),
            )
            return Answer(
                201, render(done, viewer_id=user.pk, links=NEWLY_MADE), document=("transaction", done.pk)
            )

        answer = self.answer_once(
            operation="convert",
            body=body,
            work=work,
            gate=pins.PinGate(user_id=user.pk, pin=pin),
        )
        return self.respond(answer)
