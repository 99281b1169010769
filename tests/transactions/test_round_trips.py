"""How often a transfer waits for the database: each time is a way there and back, and most are under two locks."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.factories import UserFactory
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from tests.wire import listening
from transactions.drafts import Source, TransactionDraft
from users.models import User


def send(client: APIClient, to: User) -> None:
    body = {"to": to.email, "amount": "1.00", "pin": PIN}
    answer = client.post(
        "/api/v1/transactions/transfer", body, format="json", headers={"Idempotency-Key": str(uuid4())}
    )
    assert answer.status_code == 201, answer.content


@pytest.mark.usefixtures("committed_db")
def test_a_transfer_waits_three_times_and_twice_with_its_wallets_locked(
    tmp_path: Path, settings: Settings
) -> None:
    settings.RATE_LIMITS = False
    ada, bola = with_pin(UserFactory()), UserFactory()
    fund(ada, "100.00")
    wallet = main_wallet(ada).pk.hex  # as the statement that locks sends it
    client = APIClient()
    client.force_authenticate(user=ada)
    send(client, bola)  # the session prepares its statements
    with listening(tmp_path) as wire:
        send(client, bola)
        # The key, an earlier answer, the PIN and both people's wallets are one; then these two. Whoever comes with
        # a token is looked up besides.
        assert wire.round_trips() == 3
        assert wire.round_trips(from_value=wallet) == 2
    assert main_wallet(bola).balance == 2


@pytest.mark.parametrize(
    "told",
    [
        {"reference": "rent/11"},
        {"source": Source("payment", UUID(int=1))},
        {"reverses_id": UUID(int=1)},
        {"refund_of_id": UUID(int=1)},
        {"effective_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
    ids=lambda told: next(iter(told)),
)
def test_what_the_database_alone_can_judge_is_waited_for(told: dict[str, Any]) -> None:
    plain = TransactionDraft(type="transfer", currency="NGN", amount=Decimal(1))
    assert not plain.is_contestable
    assert replace(plain, **told).is_contestable
