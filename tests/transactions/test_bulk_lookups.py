"""What a bulk tells of addresses counts with the lookups of recipients, whether it is tried or sent."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from fintech_core.api import LOOKUPS
from fintech_core.models import IdempotencyRecord
from tests.factories import UserFactory
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from transactions.models import BulkTransfer
from transactions.services.bulk_items import MAX_UNKNOWN
from users.models import User

pytestmark = pytest.mark.django_db
ROUTE = "/api/v1/transactions/transfer/bulk"
LOOKUP = "/api/v1/transactions/transfer/lookup"
Api = Callable[..., APIClient]


@pytest.fixture
def ada(settings: Settings) -> User:
    """A sender with 1,000.00 and a PIN; rate limits are on."""
    settings.RATE_LIMITS = True
    user = with_pin(UserFactory())
    fund(user, "1000.00")
    return user


def strangers(count: int) -> list[str]:
    """Addresses that are nobody's, and that nobody has asked about."""
    return [f"{uuid4().hex}@example.com" for _ in range(count)]


def body(*addresses: str, amount: str = "0.50", mode: str = "best_effort") -> dict[str, Any]:
    return {"items": [{"to": address, "amount": amount} for address in addresses], "mode": mode}


def try_out(client: APIClient, *addresses: str, **asked: Any) -> Any:
    return client.post(f"{ROUTE}?dry_run=true", body(*addresses, **asked), format="json")


def send(client: APIClient, *addresses: str, key: str | None = None, **asked: Any) -> Any:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return client.post(ROUTE, body(*addresses, **asked) | {"pin": PIN}, format="json", headers=headers)


def use_up(client: APIClient, person: User, *, leave: int = 0) -> None:
    for _ in range(LOOKUPS.limit - leave):
        assert client.post(LOOKUP, {"to": person.email}, format="json").status_code == 200


def told(answer: Any) -> int:
    """Return of how many addresses an answer says that they are nobody's."""
    failures = [result["failure"] for result in answer.json().get("results", [])]
    return sum(failure is not None and failure["code"] == "recipient_not_found" for failure in failures)


def left(answer: Any) -> int:
    """Return how many lookups are left, as the headers say."""
    [found] = re.findall(r'"recipient_lookup";r=(\d+)', answer.headers["RateLimit"])
    return int(found)


class TestDryRun:
    def test_repeated_it_told_customers_from_strangers_for_one_lookup_each_time(
        self, api: Api, ada: User
    ) -> None:
        client, people = api(ada), [UserFactory().email for _ in range(3)]
        answers = [try_out(client, *people, *strangers(MAX_UNKNOWN)) for _ in range(LOOKUPS.limit)]
        assert [answer.status_code for answer in answers] == [200] + [429] * (LOOKUPS.limit - 1)
        assert sum(map(told, answers)) == MAX_UNKNOWN
        refused = answers[-1]
        assert (refused.json()["code"], refused.json()["dry_run"]) == ("rate_limited", True)
        owed_s = (1 + MAX_UNKNOWN + 1 - LOOKUPS.limit) * LOOKUPS.per_seconds / LOOKUPS.limit
        assert owed_s - 20 < int(refused.headers["Retry-After"]) <= owed_s
        assert client.post(LOOKUP, {"to": people[0]}, format="json").status_code == 429

    def test_a_payroll_of_a_thousand_customers_is_tried_and_sent(self, api: Api, ada: User) -> None:
        client, people = api(ada), [user.email for user in UserFactory.create_batch(1_000)]
        for mode in ("best_effort", "all_or_nothing"):
            answer = try_out(client, *people, mode=mode)
            assert (answer.status_code, answer.json()["succeeded"]) == (200, 1_000)
        assert left(answer) >= LOOKUPS.limit - 2
        assert send(client, *people, mode="all_or_nothing").json()["succeeded"] == 1_000
        assert main_wallet(ada).balance == 500

    def test_a_wrong_address_is_charged_once_however_often_it_stands_there(self, api: Api, ada: User) -> None:
        answer = try_out(api(ada), UserFactory().email, *strangers(1) * 50, *strangers(1) * 50)
        assert (answer.status_code, told(answer)) == (200, 100)
        assert left(answer) == LOOKUPS.limit - 3  # one for the dry run, one for each address

    def test_a_list_with_some_wrong_addresses_is_answered_whole_and_the_next_one_waits(
        self, api: Api, ada: User
    ) -> None:
        client, chidi = api(ada), UserFactory()
        use_up(client, chidi, leave=2)
        answer = try_out(client, chidi.email, *strangers(5))
        assert (answer.status_code, told(answer)) == (200, 5)
        assert left(answer) == 0
        assert try_out(client, chidi.email).status_code == 429


class TestRealOnes:
    def test_one_that_books_nothing_told_as_much_as_a_dry_run(self, api: Api, ada: User) -> None:
        client, chidi = api(ada), UserFactory()
        first, second = (
            send(client, chidi.email, *strangers(MAX_UNKNOWN), amount="2000.00", mode="all_or_nothing")
            for _ in range(2)
        )
        assert (first.status_code, told(first)) == (422, MAX_UNKNOWN)
        assert (second.status_code, second.json()["code"], told(second)) == (429, "rate_limited", 0)
        assert IdempotencyRecord.objects.count() == 1

    def test_many_strangers_in_a_refused_list_were_screened_at_once(self, api: Api, ada: User) -> None:
        client = api(ada)
        first, second = (send(client, *strangers(MAX_UNKNOWN + 1)) for _ in range(2))
        assert (first.status_code, first.json()["code"]) == (422, "too_many_unknown_recipients")
        assert second.status_code == 429

    @pytest.mark.parametrize("mode", ["best_effort", "all_or_nothing"])
    def test_who_has_no_lookup_left_sends_to_customers_and_not_to_strangers(
        self, api: Api, ada: User, mode: str
    ) -> None:
        client, chidi = api(ada), UserFactory()
        use_up(client, chidi)
        refused = send(client, chidi.email, *strangers(1), key="k", mode=mode)
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
        assert not BulkTransfer.objects.exists()
        assert not IdempotencyRecord.objects.exists()
        sent = send(client, chidi.email, key="k", mode=mode)
        assert (sent.status_code, main_wallet(chidi).balance) == (201, main_wallet(ada).balance - 999)

    def test_without_the_right_pin_nothing_is_told_by_the_count_either(self, api: Api, ada: User) -> None:
        client, chidi = api(ada), UserFactory()
        use_up(client, chidi)
        for addresses in ([chidi.email], strangers(1)):
            asked = body(*addresses) | {"pin": "9999"}
            answer = client.post(ROUTE, asked, format="json", headers={"Idempotency-Key": str(uuid4())})
            assert (answer.status_code, answer.json()["code"]) == (403, "invalid_pin")

    def test_a_stored_answer_costs_nothing(self, api: Api, ada: User) -> None:
        client, chidi = api(ada), UserFactory()
        asked = (chidi.email, *strangers(MAX_UNKNOWN))
        first = send(client, *asked, key="k")
        again = send(client, *asked, key="k")
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["Idempotent-Replayed"] == "true"
