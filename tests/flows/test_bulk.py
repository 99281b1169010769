"""Sending to many people over HTTP: the process dies between two chunks, everybody asks at once."""

from collections import Counter
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.clients import PIN, Person, eventually
from tests.flows.crashing import paused, strike, swept
from tests.flows.parallel import at_once
from tests.stack import Stack

BULK = "/transactions/transfer/bulk"


def ask(
    sender: Person, *people: Person, count: int, key: str, mode: str = "best_effort", wait: str = ""
) -> httpx2.Response:
    """Send 1.00 to each of the people in turn, ``count`` times."""
    items = [{"to": people[number % len(people)].email, "amount": "1.00"} for number in range(count)]
    headers = {"Prefer": f"wait={wait}"} if wait else {}
    return sender.call("POST", BULK, {"items": items, "mode": mode, "pin": PIN}, key=key, headers=headers)


def bulks_of(stack: Stack, sender: Person) -> list[dict[str, Any]]:
    return stack.sql(
        "SELECT status, succeeded, failed FROM transactions_bulktransfer WHERE sender_id = %s", sender.id
    )


class TestBetweenChunks:
    def test_the_same_key_finishes_what_a_dead_process_left(self, stack: Stack) -> None:
        ada, chidi, bola = stack.person(funds="1000.00"), stack.person("Chidi"), stack.person("Bola")
        key = str(uuid4())
        strike(stack, "bulk.between_chunks", stack.web, lambda: ask(ada, chidi, bola, count=250, key=key))
        assert bulks_of(stack, ada) == [{"status": "processing", "succeeded": 100, "failed": 0}]
        assert (ada.balance(), chidi.balance(), bola.balance()) == ("900.00", "50.00", "50.00")
        again = ask(ada, chidi, bola, count=250, key=key)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true"), again.text
        assert (again.json()["succeeded"], len(again.json()["results"])) == (250, 250)
        assert (ada.balance(), chidi.balance(), bola.balance()) == ("750.00", "125.00", "125.00")
        assert ask(ada, chidi, bola, count=250, key=key).json() == again.json()

    def test_the_sweep_finishes_it_when_nobody_asks_again(self, stack: Stack) -> None:
        ada, chidi, key = stack.person(funds="1000.00"), stack.person("Chidi"), str(uuid4())
        strike(stack, "bulk.between_chunks", stack.web, lambda: ask(ada, chidi, count=150, key=key))
        assert ada.balance() == "900.00"
        swept(stack, lambda: bulks_of(stack, ada)[0]["status"] == "completed", "the bulk is finished")
        assert (ada.balance(), chidi.balance()) == ("850.00", "150.00")
        again = ask(ada, chidi, count=150, key=key)
        assert (again.status_code, again.json()["succeeded"]) == (201, 150)
        assert (ada.balance(), chidi.balance()) == ("850.00", "150.00")

    @pytest.mark.parametrize("point", ["ledger.written", "bulk.chunk_booked"])
    def test_inside_a_chunk_nothing_of_it_happened_and_the_key_goes_on(
        self, stack: Stack, point: str
    ) -> None:
        ada, chidi, key = stack.person(funds="1000.00"), stack.person("Chidi"), str(uuid4())
        strike(stack, point, stack.web, lambda: ask(ada, chidi, count=120, key=key))
        assert (ada.balance(), bulks_of(stack, ada)[0]["succeeded"]) == ("1000.00", 0)
        again = ask(ada, chidi, count=120, key=key)
        assert (again.status_code, again.json()["succeeded"]) == (201, 120)
        assert (ada.balance(), chidi.balance()) == ("880.00", "120.00")

    def test_a_worker_that_dies_in_it_is_followed_by_another(self, stack: Stack) -> None:
        ada, chidi, key = stack.person(funds="1000.00"), stack.person("Chidi"), str(uuid4())
        strike(
            stack, "bulk.between_chunks", stack.worker, lambda: ask(ada, chidi, count=150, key=key, wait="0")
        )
        swept(stack, lambda: bulks_of(stack, ada)[0]["status"] == "completed", "the bulk is finished")
        assert (ada.balance(), chidi.balance()) == ("850.00", "150.00")


class TestBeforeCommit:
    @pytest.mark.parametrize("mode", ["all_or_nothing", "best_effort"])
    def test_nothing_happened_and_the_same_key_runs(self, stack: Stack, mode: str) -> None:
        ada, chidi, key = stack.person(funds="100.00"), stack.person("Chidi"), str(uuid4())
        strike(
            stack,
            "idempotency.before_commit",
            stack.web,
            lambda: ask(ada, chidi, count=5, key=key, mode=mode),
        )
        assert (ada.balance(), bulks_of(stack, ada)) == ("100.00", [])
        again = ask(ada, chidi, count=5, key=key, mode=mode)
        assert (again.status_code, "Idempotent-Replayed" in again.headers) == (201, False)
        assert (ada.balance(), chidi.balance()) == ("95.00", "5.00")


class TestRaces:
    @pytest.mark.parametrize("mode", ["all_or_nothing", "best_effort"])
    def test_one_key_twelve_times_at_once_sends_once(self, stack: Stack, mode: str) -> None:
        ada, chidi, key = stack.person(funds="1000.00"), stack.person("Chidi"), str(uuid4())
        answers = at_once(12, lambda _: ask(ada, chidi, count=210, key=key, mode=mode))
        assert {answer.status_code for answer in answers} <= {201, 202, 409}
        eventually(
            lambda: ask(ada, chidi, count=210, key=key, mode=mode).status_code == 201, "the bulk is final"
        )
        assert (ada.balance(), chidi.balance()) == ("790.00", "210.00")
        assert len(bulks_of(stack, ada)) == 1

    def test_several_bulks_at_once_never_send_more_than_there_is(self, stack: Stack) -> None:
        ada, chidi = stack.person(funds="300.00"), stack.person("Chidi")
        modes = ("all_or_nothing", "best_effort")

        def spend(number: int) -> Counter[str]:
            answer = ask(ada, chidi, count=110, key=str(uuid4()), mode=modes[number % 2])
            assert answer.status_code in {201, 422}, answer.text
            return Counter(result["status"] for result in answer.json()["results"])

        done = sum(at_once(6, spend), Counter[str]())
        assert (done["completed"], done["failed"]) == (300, 360)
        assert (ada.balance(), chidi.balance()) == ("0.00", "300.00")

    def test_while_it_is_worked_on_the_key_tells_how_far_it_is(self, stack: Stack) -> None:
        ada, chidi, key = stack.person(funds="1000.00"), stack.person("Chidi"), str(uuid4())
        with paused(stack, "bulk.chunk_booked") as is_reached:
            started = ask(ada, chidi, count=110, key=key, wait="0")
            assert (started.status_code, started.json()["is_final"]) == (202, False)
            is_reached()
            shown = ask(ada, chidi, count=110, key=key)
            assert (shown.status_code, shown.json()["succeeded"]) == (202, 0)
            assert shown.headers["Location"].endswith(f"{BULK}/{started.json()['id']}")
            assert ada.balance() == "1000.00"
        path = f"{BULK}/{started.json()['id']}"
        eventually(lambda: bool(ada.get(path).json()["is_final"]), "the bulk is final")
        assert (ada.get(path).json()["succeeded"], chidi.balance()) == (110, "110.00")
        assert chidi.get(path).status_code == 404


class TestSizes:
    def test_a_thousand_items_are_one_request(self, stack: Stack) -> None:
        ada, people = stack.person(funds="10000.00"), [stack.person(f"Chi{number}") for number in range(3)]
        for mode in ("all_or_nothing", "best_effort"):
            answer = ask(ada, *people, count=1_000, key=str(uuid4()), mode=mode)
            assert (answer.status_code, answer.json()["succeeded"]) == (201, 1_000), answer.text[:500]
        assert ada.balance() == "8000.00"

    def test_4_01_more_than_512_kb_is_not_read(self, stack: Stack) -> None:
        ada, chidi = stack.person(funds="10.00"), stack.person("Chidi")
        item = {"to": chidi.email, "amount": "0.01", "description": "x" * 200}
        many = ada.pay(BULK, {"items": [item] * 1_800, "mode": "best_effort", "pin": PIN})
        assert (many.status_code, many.json()["code"]) == (400, "validation_error")
        huge = ada.pay(BULK, {"items": [item] * 2_200, "pin": PIN})
        assert (huge.status_code, huge.json()["code"]) == (413, "payload_too_large")
        assert ada.balance() == "10.00"
