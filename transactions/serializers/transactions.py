"""Shapes of the ledger's routes."""

from typing import Any

from django.conf import settings
from django.db.models import Q
from rest_framework import serializers

from fintech_core import clock
from fintech_core.money import format_amount
from fintech_core.pagination import Either
from fintech_core.serializers import (
    AmountField,
    CurrencyField,
    InstantField,
    QueryParameters,
    Request,
    Text,
)
from transactions.chart import SUSPENSE
from transactions.enums import Direction, ParkedCreditStatus, TransactionStatus, TransactionType
from transactions.models import LedgerEntry, Transaction
from transactions.rendering import counterparty_name
from users.models import User
from users.names import masked_name


class ReverseTransactionRequest(Request):
    """Why staff undo a movement; ``book_shortfall`` puts what is spent meanwhile on receivables."""

    reason = Text(min_length=3, max_length=500)
    book_shortfall = serializers.BooleanField(default=False)


class RefundTransactionRequest(ReverseTransactionRequest):
    """How much staff give back, in the currency of the movement; without an amount all that is left."""

    amount = AmountField(required=False)


class CounterpartyResponse(serializers.Serializer[Any]):
    """The other side, masked."""

    name = serializers.CharField()


class FailureResponse(serializers.Serializer[Any]):
    """Why something did not happen."""

    code = serializers.CharField()
    detail = serializers.CharField()


class ConversionResponse(serializers.Serializer[Any]):
    """The other currency's side of a conversion."""

    amount_to = serializers.CharField()
    currency_to = serializers.CharField()
    rate = serializers.CharField()


class ParkedCreditResponse(serializers.Serializer[Any]):
    """Money from outside that could not land in its wallet at once.

    ``parked_by`` is the movement that brought it, ``reversed_by`` what took it back. Until ``released_at`` it is in no
    balance; then ``released_by`` has moved it into the wallet, as a line of the wallet's history.
    """

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=ParkedCreditStatus.choices)
    reason = serializers.CharField()
    parked_by = serializers.UUIDField()
    parked_at = serializers.DateTimeField()
    released_by = serializers.UUIDField(allow_null=True)
    released_at = serializers.DateTimeField(allow_null=True)
    reversed_by = serializers.UUIDField(allow_null=True)
    reversed_at = serializers.DateTimeField(allow_null=True)


class TransactionResponse(serializers.Serializer[Any]):
    """A movement, told from the viewer's side (``transactions.rendering`` writes it)."""

    id = serializers.UUIDField()
    reference = serializers.CharField()
    type = serializers.ChoiceField(choices=TransactionType.choices)
    status = serializers.ChoiceField(choices=TransactionStatus.choices)
    direction = serializers.ChoiceField(choices=["in", "out", "self"])
    amount = serializers.CharField()
    fee = serializers.CharField()
    total = serializers.CharField()
    currency = serializers.CharField()
    counterparty = CounterpartyResponse()
    description = serializers.CharField()
    metadata = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)
    is_final = serializers.BooleanField()
    next_poll_at = serializers.DateTimeField(allow_null=True)
    resolve_by = serializers.DateTimeField(allow_null=True)
    failure = FailureResponse(allow_null=True)
    conversion = ConversionResponse(allow_null=True)
    reverses = serializers.UUIDField(allow_null=True)
    reversed_by = serializers.UUIDField(allow_null=True)
    refund_of = serializers.UUIDField(allow_null=True)
    refunds = serializers.ListField(child=serializers.UUIDField())
    parked_credit = ParkedCreditResponse(allow_null=True)


class EntryResponse(serializers.Serializer[Any]):
    """One line of a movement; another person's account is masked and its balance hidden."""

    account = serializers.CharField()
    direction = serializers.ChoiceField(choices=Direction.choices)
    amount = serializers.CharField()
    currency = serializers.CharField()
    balance_after = serializers.CharField(allow_null=True)

    def to_representation(self, instance: LedgerEntry) -> dict[str, Any]:
        """Write an entry as the viewer in the context may see it."""
        wallet = instance.wallet
        own = wallet is not None and wallet.owner_id == self.context["viewer_id"]
        account = instance.account.code
        if wallet is not None:
            account = f"wallet:{wallet.kind}" if own else f"wallet:{masked_name(wallet.owner)}"
        elif account == SUSPENSE and (owner := self._somebody_else(instance.transaction)) is not None:
            account = f"wallet:{masked_name(owner)}"
        after = instance.wallet_balance_after if own else None
        return {
            "account": account,
            "direction": instance.direction,
            "amount": format_amount(instance.amount, instance.currency),
            "currency": instance.currency,
            "balance_after": None if after is None else format_amount(after, instance.currency),
        }

    def _somebody_else(self, movement: Transaction) -> User | None:
        """Return whose money waits, if it is somebody else's than the viewer's: that it waits is their business."""
        owner = movement.to_user if movement.reverses_id is None else movement.from_user
        return None if owner is None or owner.pk == self.context["viewer_id"] else owner


class WalletLineResponse(serializers.Serializer[Any]):
    """One line of a wallet's history with the running balance."""

    transaction_id = serializers.UUIDField()
    reference = serializers.CharField()
    type = serializers.ChoiceField(choices=TransactionType.choices)
    direction = serializers.ChoiceField(choices=["in", "out"])
    amount = serializers.CharField()
    currency = serializers.CharField()
    balance_after = serializers.CharField()
    counterparty = CounterpartyResponse()
    description = serializers.CharField()
    created_at = serializers.DateTimeField()
    effective_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: LedgerEntry) -> dict[str, Any]:
        """Write a line as its owner sees it, with the other side as it is called today."""
        return wallet_line(instance, counterparty_name(instance.transaction, self.context["viewer_id"]))


def wallet_line(entry: LedgerEntry, counterparty: str) -> dict[str, Any]:
    """Write a line of a wallet."""
    booked, balance = entry.transaction, entry.wallet_balance_after
    return {
        "transaction_id": str(booked.pk),
        "reference": booked.reference,
        "type": booked.type,
        "direction": "in" if entry.direction == Direction.CREDIT else "out",
        "amount": format_amount(entry.amount, entry.currency),
        "currency": entry.currency,
        "balance_after": None if balance is None else format_amount(balance, entry.currency),
        "counterparty": {"name": counterparty},
        "description": booked.description,
        "created_at": clock.rfc3339(entry.created_at),
        "effective_at": clock.rfc3339(entry.effective_at),
    }


class HistoryQuery(QueryParameters):
    """Which wallet's lines are asked for."""

    currency = CurrencyField(default=lambda: settings.DEFAULT_CURRENCY)


class TransactionQuery(QueryParameters):
    """Filters of a list of movements."""

    status = serializers.ChoiceField(choices=TransactionStatus.choices, required=False)
    type = serializers.ChoiceField(choices=TransactionType.choices, required=False)
    currency = CurrencyField(required=False)
    created_after = InstantField(required=False)
    created_before = InstantField(required=False)
    amount_min = AmountField(required=False, allow_zero=True)
    amount_max = AmountField(required=False, allow_zero=True)
    reference = Text(max_length=64, required=False)
    search = Text(max_length=100, required=False)


def filtered(rows: Either, query: dict[str, Any]) -> Either:
    """Narrow a list of movements by validated filters; by its reference ``history_of`` finds one."""
    exact = {name: query[name] for name in ("status", "type", "currency") if name in query}
    rows = rows.filter(**exact)
    bounds = {"created_after": "created_at__gte", "created_before": "created_at__lt"}
    bounds |= {"amount_min": "amount__gte", "amount_max": "amount__lte"}
    rows = rows.filter(**{bounds[name]: query[name] for name in bounds if name in query})
    if text := query.get("search"):
        rows = rows.filter(Q(description__icontains=text) | Q(reference__iexact=text))
    return rows


FILTERS = frozenset(TransactionQuery().fields)
