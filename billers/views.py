"""Routes of bills: what can be paid, what it will cost, paying, and what was paid."""

from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from billers import selectors, services
from billers.enums import Category
from billers.rendering import answer_for, render, render_all
from billers.serializers import (
    PAYMENT_FILTERS,
    BillerQuery,
    BillerResponse,
    BillerStatusResponse,
    BillPaymentQuery,
    BillPaymentResponse,
    CategoryResponse,
    PayBillRequest,
    QuoteResponse,
    ValidateBillRequest,
)
from billers.services.pricing import fee_of
from fintech_core import clock
from fintech_core.api import PAGING, ApiViewSet
from fintech_core.exceptions import request_id_of
from fintech_core.headers import IDEMPOTENCY_KEY, IF_MATCH, PREFER
from fintech_core.idempotency import Answer
from fintech_core.pagination import ByName, InMemory
from fintech_core.throttling import Rate
from users.authentication import signed_in_user
from users.services import pins


@extend_schema(tags=["billers"])
class BillerViewSet(ApiViewSet):
    """The catalogue."""

    lookup_value_regex = "[a-z0-9-]{1,40}"
    pagination_class = ByName
    query_parameters: ClassVar = {"list": PAGING | {"category"}}

    @extend_schema(operation_id="list_billers", parameters=[BillerQuery], responses=BillerResponse(many=True))
    def list(self, request: Request) -> Response:
        """List billers with their products, by name."""
        query = self.read_query(BillerQuery)
        page = self.paginate_queryset(selectors.list_billers(**query))
        return self.get_paginated_response(BillerResponse(page, many=True, context=self._shown()).data)

    @extend_schema(operation_id="get_biller", responses=BillerResponse)
    def retrieve(self, request: Request, code: str) -> Response:
        """Show one biller with its products."""
        biller = selectors.get_biller(code=code)
        return Response(BillerResponse(biller, context=self._shown()).data)

    def _shown(self) -> dict[str, Any]:
        """Return what the catalogue tells of this moment and this customer."""
        tier = signed_in_user(self.request).kyc_tier
        return {
            "statuses": selectors.vendor_statuses(),
            "fee_of": partial(fee_of, tier=tier, now=clock.now()),
        }


@extend_schema(tags=["billers"])
class CategoryViewSet(ApiViewSet):
    """What kinds of things can be paid."""

    pagination_class = InMemory
    query_parameters: ClassVar = {"list": PAGING}

    @extend_schema(operation_id="list_biller_categories", responses=CategoryResponse(many=True))
    def list(self, request: Request) -> Response:
        """List the categories, by name."""
        categories = sorted(Category, key=lambda category: category.label)
        page = self.paginate_queryset(categories) or []
        results = [{"code": category.value, "name": category.label} for category in page]
        return self.get_paginated_response(results)


@extend_schema(tags=["billers"], auth=[])
class BillerStatusViewSet(ApiViewSet):
    """How billers do, for everybody to see."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    pagination_class = ByName
    query_parameters: ClassVar = {"list": PAGING}

    @extend_schema(operation_id="get_biller_status", responses=BillerStatusResponse(many=True))
    def list(self, request: Request) -> Response:
        """Tell which billers are operational, slow or down, by name."""
        statuses = selectors.vendor_statuses()
        results = [
            {"code": biller.code, "name": biller.name, "status": selectors.status_of(biller, statuses)}
            for biller in self.paginate_queryset(selectors.list_billers()) or []
        ]
        return self.get_paginated_response(results)


@extend_schema(tags=["bills"])
class BillViewSet(ApiViewSet):
    """Paying bills."""

    money_actions: ClassVar = frozenset({"pay", "pay_bill"})
    query_parameters: ClassVar = {"list": PAGING | PAYMENT_FILTERS}
    rate_limits: ClassVar = {
        "validate": (Rate(30, 60, "user", "validate_bill"),),
        "pay": (Rate(30, 60, "user", "pay_bill"),),
        "pay_bill": (Rate(30, 60, "user", "pay_bill"),),
    }

    @extend_schema(operation_id="validate_bill", request=ValidateBillRequest, responses=QuoteResponse)
    def validate(self, request: Request) -> Response:
        """Say who the customer is and what paying will cost; the quote is good for 15 minutes."""
        body = self.read_body(ValidateBillRequest)
        quote = services.validate_customer(user=signed_in_user(request), **body, now=clock.now())
        return Response(QuoteResponse(quote).data)

    @extend_schema(
        operation_id="pay_bill",
        parameters=[IDEMPOTENCY_KEY, IF_MATCH, PREFER],
        request=PayBillRequest,
        responses={201: BillPaymentResponse, 202: BillPaymentResponse},
    )
    def pay(self, request: Request) -> Response:
        """Pay a bill: 201 with its token, 202 while the outcome is unknown, 422 when nothing was paid."""
        body = self.read_body(PayBillRequest)
        user = signed_in_user(request)
        pin = body.pop("pin", None)

        def work() -> Answer:
            order = services.Order(**body)
            if_match = request.headers.get("If-Match")
            return answer_for(services.pay_bill(user=user, order=order, now=clock.now(), if_match=if_match))

        gate = pins.PinGate(user_id=user.pk, pin=pin)
        answer = self.answer_once(operation="pay_bill", body=body, work=work, gate=gate)
        if answer.document is not None and not (answer.is_final or answer.replayed):
            wait_s = self.preferred_wait_s(settings.WEB_WAIT_LIMIT_S)
            payment = selectors.wait_for_end(user=user, payment_id=answer.document[1], wait_s=wait_s)
            answer = answer_for(payment, request_id=request_id_of(request))
        return self.respond(answer, where="/api/v1/bills/payments")

    @extend_schema(
        operation_id="pay_bill_by_its_other_name",
        parameters=[IDEMPOTENCY_KEY, IF_MATCH, PREFER],
        request=PayBillRequest,
        responses={201: BillPaymentResponse, 202: BillPaymentResponse},
    )
    def pay_bill(self, request: Request) -> Response:
        """Pay a bill: the same operation as ``/bills/pay``, so that a key used there answers here."""
        return self.pay(request)

    @extend_schema(
        operation_id="list_bill_payments",
        parameters=[BillPaymentQuery],
        responses=BillPaymentResponse(many=True),
    )
    def list(self, request: Request) -> Response:
        """List the customer's bill payments, newest first."""
        query = self.read_query(BillPaymentQuery)
        page = (
            self.paginate_queryset(selectors.list_payments_for(user=signed_in_user(request), **query)) or []
        )
        return self.get_paginated_response(render_all(page))

    @extend_schema(operation_id="get_bill_payment", parameters=[PREFER], responses=BillPaymentResponse)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one payment; ``Prefer: wait=N`` waits while it is under way, at most 8 s."""
        wait_s = self.preferred_wait_s(settings.WEB_WAIT_LIMIT_S, otherwise_s=0.0)
        payment = selectors.wait_for_end(user=signed_in_user(request), payment_id=pk, wait_s=wait_s)
        return Response(render(payment))
