"""Routes that tell a wallet's past: its balance at an instant, and statements."""

from typing import Any, ClassVar

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import ApiViewSet
from fintech_core.formats import MEDIA_TYPES, DocumentViewSet
from fintech_core.money import format_amount
from fintech_core.throttling import Rate
from transactions.enums import BalanceClock
from transactions.serializers.statements import (
    BalanceAtQuery,
    BalanceAtResponse,
    StatementQuery,
    StatementResponse,
)
from transactions.statements import as_csv, past
from transactions.statements.statement import draw_up
from users.authentication import signed_in_user
from wallet.selectors import get_main_wallet


@extend_schema(tags=["wallet"])
class PastViewSet(ApiViewSet):
    """What the customer's main wallet had, and how it came to that."""

    query_parameters: ClassVar = {"balance": frozenset(BalanceAtQuery().fields)}

    @extend_schema(operation_id="get_balance_at", parameters=[BalanceAtQuery], responses=BalanceAtResponse)
    def balance(self, request: Request) -> Response:
        """Show the balance at a past instant.

        By the ``recorded`` clock it is what stood in the book then; by the ``effective`` clock corrections count
        from the time they are dated to.
        """
        query = self.read_query(BalanceAtQuery)
        wallet = get_main_wallet(user_id=signed_in_user(request).pk, currency=query["currency"])
        balance = past.balance_at(wallet=wallet, at=query["at"], by=BalanceClock(query["clock"]))
        told = {
            "balance": format_amount(balance, wallet.currency),
            "currency": wallet.currency,
            "at": clock.rfc3339(query["at"]),
        }
        return Response(told)


# What one document carries: JSON and PDF are made in memory, and PDF costs some two milliseconds a line.
MAX_LINES = {"json": 10_000, "csv": 100_000, "pdf": 1_000}


@extend_schema(tags=["wallet"])
class StatementViewSet(DocumentViewSet):
    """Statements of the customer's main wallets."""

    formats: ClassVar = {"retrieve": ("json", "csv", "pdf")}
    query_parameters: ClassVar = {"retrieve": frozenset(StatementQuery().fields)}
    rate_limits: ClassVar = {"retrieve": (Rate(30, 60, "user", "statement"),)}

    @extend_schema(
        operation_id="get_statement",
        parameters=[StatementQuery],
        responses={
            (200, "application/json"): StatementResponse,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/pdf"): OpenApiTypes.BINARY,
        },
    )
    def retrieve(self, request: Request) -> Any:
        """Draw up a statement: opening balance, every line with the running balance, closing balance.

        By recorded time, for Lagos days. Once the last day is over it reads the same for ever; until then it reaches to
        the moment of the answer, `until_at`, and `is_final` is false.
        """
        chosen = self.chosen_format()
        query = self.read_query(StatementQuery)
        wallet = get_main_wallet(user_id=signed_in_user(request).pk, currency=query["currency"])
        told = draw_up(wallet=wallet, first=query["from"], last=query["to"], max_lines=MAX_LINES[chosen])
        if chosen == "json":
            return Response(StatementResponse(told).data)
        name = f"statement-{wallet.currency}-{told.first}-{told.reaches_on}.{chosen}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        if chosen == "pdf":
            # As in receipts: the library is loaded when one is drawn.
            from transactions.statements import as_pdf

            return HttpResponse(as_pdf.write(told), content_type=MEDIA_TYPES["pdf"], headers=headers)
        return StreamingHttpResponse(
            as_csv.write(told),
            content_type=f"{MEDIA_TYPES['csv']}; charset=utf-8; header=present",
            headers=headers,
        )
