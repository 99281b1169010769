"""Reversals and refunds that need two people, over HTTP."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from tests.factories import StaffFactory
from tests.transactions.money import main_wallet
from tests.transactions.test_undoing_by_two import REVERSAL, asked, books, fifty_alone, sent
from transactions.models import Transaction
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fifty_alone")]
__all__ = ["fifty_alone"]


class TestRoutes:
    APPROVALS = "/api/v1/admin/approvals"

    @staticmethod
    def clerk(*permissions: str) -> User:
        person: User = StaffFactory()
        for codename in permissions:
            person.user_permissions.add(Permission.objects.get(codename=codename))
        return person

    def ask(
        self,
        client: APIClient,
        verb: str,
        original: Transaction,
        key: str = "k",
        query: str = "",
        **body: Any,
    ) -> Any:
        path = f"/api/v1/admin/transactions/{original.pk}/{verb}{query}"
        return client.post(
            path, {"reason": "Case 4711", **body}, format="json", headers={"Idempotency-Key": key}
        )

    @pytest.mark.parametrize(("verb", "kind"), [("reverse", "reversal"), ("refund", "refund")])
    def test_above_the_limit_it_is_asked_for_and_somebody_else_approves(
        self, api: Callable[..., APIClient], verb: str, kind: str
    ) -> None:
        original, maker = sent(), self.clerk(f"{verb}_transaction", "view_undoing")
        answer = self.ask(api(maker), verb, original)
        assert answer.status_code == 202, answer.content
        where = f"{self.APPROVALS}/{answer.json()['approval_id']}"
        assert answer["Location"] == where
        again = self.ask(api(maker), verb, original)
        assert (again.status_code, again.json(), again["Location"]) == (202, answer.json(), where)
        (listed,) = api(maker).get(self.APPROVALS, {"status": "pending", "kind": kind}).json()["results"]
        assert listed == {
            "id": answer.json()["approval_id"], "kind": kind, "status": "pending", "wallet": None, "direction": None,
            "effective_at": None, "undoes": str(original.pk), "book_shortfall": False, "amount": "60.00",
            "currency": "NGN", "reason": "Case 4711", "requested_by": str(maker.pk),
            "requested_at": listed["requested_at"], "decided_by": None, "decided_at": None, "transaction_id": None,
        }  # fmt: skip
        path = f"{self.APPROVALS}/{listed['id']}/approve"
        assert api(maker).post(path, {}, format="json").status_code == 403
        assert api(self.clerk("decide_adjustment")).post(path, {}, format="json").status_code == 403
        assert main_wallet(original.from_user).balance == 40
        assert api(maker).get(where).json() == listed
        assert api(self.clerk("view_adjustment")).get(where).status_code == 403
        assert api(self.clerk(f"{verb}_transaction")).get(where).status_code == 403
        checker = self.clerk("decide_undoing")
        tried = api(checker).post(f"{path}?dry_run=true", {}, format="json")
        assert (tried.status_code, tried.json()["dry_run"]) == (200, True)
        assert main_wallet(original.from_user).balance == 40
        done = api(checker).post(path, {"reason": "seen"}, format="json").json()
        assert (done["status"], done["decided_by"]) == ("approved", str(checker.pk))
        made = Transaction.objects.get(pk=UUID(done["transaction_id"]))
        assert (made.type, main_wallet(original.from_user).balance) == (kind, 100)
        final = self.ask(api(maker), verb, original)
        assert (final.status_code, final.json()["id"]) == (201, str(made.pk))

    def test_rejected_nothing_moves_and_whoever_asked_is_told(self, api: Callable[..., APIClient]) -> None:
        original, maker = sent(), self.clerk("reverse_transaction")
        where = self.ask(api(maker), "reverse", original)["Location"]
        assert api(maker).get(where).json()["status"] == "pending"
        path, checker = f"{where}/reject", self.clerk("decide_undoing")
        done = api(checker).post(path, {"reason": "not ours"}, format="json").json()
        assert (done["status"], done["transaction_id"]) == ("rejected", None)
        assert main_wallet(original.from_user).balance == 40
        final = self.ask(api(maker), "reverse", original)
        assert (final.status_code, final.json()["code"]) == (422, "approval_rejected")
        assert final.json()["request_id"] == final["X-Request-ID"]

    @pytest.mark.parametrize("verb", ["reverse", "refund"])
    def test_a_dry_run_asks_nobody(self, api: Callable[..., APIClient], verb: str) -> None:
        original, before = sent(), books()
        answer = self.ask(api(self.clerk(f"{verb}_transaction")), verb, original, query="?dry_run=true")
        assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
        assert answer.json()["approval_id"] is None
        assert books()[1:] == before[1:]

    def test_each_sees_the_kinds_that_they_may_see(self, api: Callable[..., APIClient]) -> None:
        asked(REVERSAL, sent(), StaffFactory())
        assert api(self.clerk("view_adjustment")).get(self.APPROVALS).json()["results"] == []
        assert len(api(self.clerk("view_undoing")).get(self.APPROVALS).json()["results"]) == 1
        assert api(self.clerk("decide_undoing")).get(self.APPROVALS).status_code == 403

    @pytest.mark.parametrize("verb", ["approve", "reject"])
    def test_what_nobody_asked_for_is_not_found(self, api: Callable[..., APIClient], verb: str) -> None:
        client = api(self.clerk("decide_undoing"))
        answer = client.post(f"{self.APPROVALS}/{uuid4()}/{verb}", {"reason": "because"}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
