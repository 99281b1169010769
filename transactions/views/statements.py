"""Routes that tell a wallet's past: its balance at an instant, and statements."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core.api import ApiViewSet
from fintech_core.serializers import amount_text, instant
from transactions.enums import BalanceClock
from transactions.serializers.statements import BalanceAtQuery, BalanceAtResponse
from transactions.statements import past
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
            "balance": amount_text(balance, wallet.currency),
            "currency": wallet.currency,
            "at": instant(query["at"]),
        }
        return Response(told)
