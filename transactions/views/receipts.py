"""Routes of receipts: one's own, and the question of anybody whether one is real."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.formats import MEDIA_TYPES, DocumentViewSet
from fintech_core.money import for_people
from fintech_core.throttling import Rate
from transactions.receipts.reading import Verdict, receipt_for, verdict_on
from transactions.serializers.receipts import ReceiptQuery, ReceiptResponse, VerdictQuery, VerdictResponse
from users.authentication import signed_in_user


@extend_schema(tags=["transactions"])
class ReceiptViewSet(DocumentViewSet):
    """Receipts of the customer's movements."""

    formats: ClassVar = {"retrieve": ("json", "pdf")}
    query_parameters: ClassVar = {"retrieve": frozenset(ReceiptQuery().fields)}

    @extend_schema(
        operation_id="get_receipt",
        parameters=[ReceiptQuery],
        responses={
            (200, "application/json"): ReceiptResponse,
            (200, "application/pdf"): OpenApiTypes.BINARY,
        },
    )
    def retrieve(self, request: Request, pk: UUID) -> Any:
        """Show the receipt of a completed movement, with an address at which anybody can verify it."""
        chosen = self.chosen_format()
        receipt = receipt_for(user=signed_in_user(request), transaction_id=pk)
        if chosen == "json":
            return Response(ReceiptResponse(receipt).data)
        name = f"receipt-{receipt.transaction.pk}.pdf"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        # Loaded when one is drawn: the library takes a quarter of the program's start, and few ask for a PDF.
        from transactions.receipts import as_pdf

        return HttpResponse(as_pdf.write(receipt), content_type=MEDIA_TYPES["pdf"], headers=headers)


@extend_schema(tags=["transactions"])
class ReceiptCheckViewSet(DocumentViewSet):
    """Whether a receipt is real: open to everybody who holds its code."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    formats: ClassVar = {"retrieve": ("json", "html"), "page": ("html",)}
    query_parameters: ClassVar = {"retrieve": frozenset(VerdictQuery().fields)}
    rate_limits: ClassVar = {
        "retrieve": (Rate(30, 60, "address", "receipts"),),
        "page": (Rate(30, 60, "address", "receipts"),),
    }

    @extend_schema(
        operation_id="verify_receipt",
        auth=[],
        parameters=[VerdictQuery],
        responses={(200, "application/json"): VerdictResponse, (200, "text/html"): OpenApiTypes.STR},
    )
    def retrieve(self, request: Request, code: str) -> Any:
        """Say whether a receipt is real, and whether its movement was reversed since; names are masked."""
        chosen = self.chosen_format()
        verdict = verdict_on(code=code)
        return Response(VerdictResponse(verdict).data) if chosen == "json" else _page(request, verdict)

    @extend_schema(exclude=True)
    def page(self, request: Request, code: str) -> HttpResponse:
        """Show the same as a page, for whoever scanned the code."""
        return _page(request, verdict_on(code=code))


def _page(request: Request, verdict: Verdict) -> HttpResponse:
    booked = verdict.transaction
    context: dict[str, Any] = {"title": "Receipt", "verdict": verdict, "booked": booked}
    if booked is not None:
        context["amount"] = for_people(booked.amount, booked.currency)
        context["refunded"] = for_people(verdict.refunded, booked.currency) if verdict.refunded else ""
        moment = booked.completed_at or booked.created_at
        context["at"] = moment.astimezone(clock.business_zone())
        reversed_at = verdict.reversed_at
        context["reversed_at"] = (
            None if reversed_at is None else reversed_at.astimezone(clock.business_zone())
        )
    response = render(request._request, "transactions/receipt.html", context)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response
