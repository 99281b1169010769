"""Routes of funding, and the doors through which vendors send their webhooks."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import PAGING, ApiViewSet
from fintech_core.exceptions import request_id_of
from fintech_core.headers import IDEMPOTENCY_KEY, PREFER
from fintech_core.idempotency import Answer
from fintech_core.throttling import Rate
from payments import selectors
from payments.parsers import RawBytes
from payments.rendering import answer_for, render
from payments.serializers import (
    FILTERS,
    FundWalletRequest,
    HintReceiptResponse,
    IntentQuery,
    PaymentIntentResponse,
    SimulateRequest,
    WebhookReceiptResponse,
    filtered,
)
from payments.services import PaymentService, checking, inbox, intents, simulation
from users.authentication import signed_in_user

MAX_WEBHOOK_BYTES = 1_000_000


@extend_schema(tags=["payments"])
class PaymentIntentViewSet(ApiViewSet):
    """Money in through a gateway."""

    money_actions: ClassVar = frozenset({"create"})
    query_parameters: ClassVar = {"list": PAGING | FILTERS}
    rate_limits: ClassVar = {
        "create": (Rate(30, 60, "user", "fund"),),
        "verify": (Rate(20, 60, "user", "ask_gateway"),),
        "cancel": (Rate(20, 60, "user", "ask_gateway"),),
    }

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY, PREFER],
        request=FundWalletRequest,
        responses={201: PaymentIntentResponse, 202: PaymentIntentResponse},
    )
    def create(self, request: Request) -> Response:
        """Begin a payment: 201 with its checkout_url, 202 while the gateway takes its time."""
        body = self.read_body(FundWalletRequest)
        user = signed_in_user(request)

        def work() -> Answer:
            intent = PaymentService.create_payment_intent(user=user, now=clock.now(), **body)
            return answer_for(intent)

        answer = self.answer_once(operation="fund", body=body, work=work)
        if answer.document is not None and not answer.replayed:
            wait_s = self.preferred_wait_s(settings.WEB_WAIT_LIMIT_S)
            intent = selectors.wait_for_checkout(intent_id=answer.document[1], wait_s=wait_s)
            answer = answer_for(intent, request_id=request_id_of(request))
        return self.respond(answer, where="/api/v1/payments/intents")

    @extend_schema(
        operation_id="list_payment_intents",
        parameters=[IntentQuery],
        responses=PaymentIntentResponse(many=True),
    )
    def list(self, request: Request) -> Response:
        """List the customer's payments, newest first."""
        rows = filtered(selectors.intents_of(user=signed_in_user(request)), self.read_query(IntentQuery))
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response([render(row) for row in page])

    @extend_schema(operation_id="get_payment_intent", parameters=[PREFER], responses=PaymentIntentResponse)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one payment; ``Prefer: wait=N`` waits while it is open, at most 8 s."""
        wait_s = self.preferred_wait_s(settings.WEB_WAIT_LIMIT_S, otherwise_s=0.0)
        intent = selectors.wait_for_payment(user=signed_in_user(request), intent_id=pk, wait_s=wait_s)
        return Response(render(intent))

    @extend_schema(operation_id="verify_payment_intent", request=None, responses=PaymentIntentResponse)
    def verify(self, request: Request, pk: UUID) -> Response:
        """Ask the gateway now and credit what has been paid."""
        intent = checking.verify_intent(
            user=signed_in_user(request), intent_id=pk, deadline_s=settings.WEB_WAIT_LIMIT_S, now=clock.now()
        )
        return Response(render(intent))

    @extend_schema(operation_id="cancel_payment_intent", request=None, responses=PaymentIntentResponse)
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Ask the gateway now and cancel what nobody has paid; money that is there is credited instead."""
        intent = intents.cancel_intent(
            user=signed_in_user(request), intent_id=pk, deadline_s=settings.WEB_WAIT_LIMIT_S, now=clock.now()
        )
        return Response(render(intent))

    @extend_schema(operation_id="simulate_payment", request=SimulateRequest, responses=PaymentIntentResponse)
    def simulate(self, request: Request, pk: UUID) -> Response:
        """Act on the checkout page as the customer would; 404 where the gateway is no sandbox."""
        simulation.require_sandbox()
        body = self.read_body(SimulateRequest)
        intent = PaymentService.simulate_payment(
            user=signed_in_user(request),
            intent_id=pk,
            outcome=body["outcome"],
            deadline_s=settings.WEB_WAIT_LIMIT_S,
            now=clock.now(),
        )
        return Response(render(intent))


class AnyAccept(DefaultContentNegotiation):
    """Answers JSON whatever a vendor's client says it accepts."""

    def select_renderer(
        self, request: Request, renderers: object, format_suffix: str | None = None
    ) -> object:
        """Choose the first renderer."""
        return next(iter((renderer, renderer.media_type) for renderer in renderers))  # type: ignore[attr-defined]


@extend_schema(tags=["webhooks in"], auth=[], request=OpenApiTypes.OBJECT)
class WebhookViewSet(ApiViewSet):
    """Vendors come in here: no sign-in, no rate limit, nothing parsed before it is verified."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()
    parser_classes = (RawBytes,)
    content_negotiation_class = AnyAccept
    max_body_bytes = MAX_WEBHOOK_BYTES

    @extend_schema(operation_id="receive_gateway_webhook", responses=WebhookReceiptResponse)
    def gateway(self, request: Request, vendor: str) -> Response:
        """Store a gateway's signed webhook and answer at once; a repeat answers alike."""
        PaymentService.receive_webhook(
            vendor=vendor, raw=_raw(request), headers=_headers(request), now=clock.now()
        )
        return Response({"received": True})

    @extend_schema(operation_id="receive_vtpass_webhook", responses=HintReceiptResponse)
    def vtpass(self, request: Request, token: str) -> Response:
        """Store VTpass's unsigned webhook, a hint to ask; a wrong token is 404."""
        inbox.receive_hint(token=token, raw=_raw(request), headers=_headers(request), now=clock.now())
        return Response({"response": "success"})


def _raw(request: Request) -> bytes:
    """Return the body's bytes; an empty body never reaches a parser."""
    read: object = request.data
    return read if isinstance(read, bytes) else b""


def _headers(request: Request) -> Mapping[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
