"""Identity cases over the API: handing in, and the decisions of staff."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from fintech_core.models import AuditRecord
from notifications.models import Event
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.users.people import Phone, code_of, field_codes, tables
from users.models import IdentityDocument, KycCase, User
from users.services import kyc

Api = Callable[..., APIClient]
pytestmark = pytest.mark.django_db
NUMBER = "22345678901"
TIER_1 = {"tier": 1, "document_type": "bvn", "document_number": NUMBER, "date_of_birth": "1991-05-07"}
TIER_2 = {
    **TIER_1,
    "tier": 2,
    "document_type": "passport",
    "document_number": "A01234567",
    "address": "1 Broad St",
}


def hand_in(client: APIClient, body: Any = None, **headers: str) -> Any:
    """Hand a case in without waiting for the verifier."""
    body = TIER_1 if body is None else body
    return client.post("/api/v1/users/me/kyc", body, format="json", headers={"Prefer": "wait=0", **headers})


def reviewer() -> User:
    """Return somebody of staff who may decide."""
    staff: User = StaffFactory()
    staff.user_permissions.add(Permission.objects.get(codename="decide_kyc"))
    return User.objects.get(pk=staff.pk)


@pytest.fixture
def customer() -> User:
    """A customer at tier 0."""
    made: User = UnverifiedUserFactory()
    return made


class TestHandIn:
    def test_tier_1_is_submitted_and_due_at_once(self, api: Api, customer: User) -> None:
        answer = hand_in(api(customer))
        assert answer.status_code == 201
        case = KycCase.objects.get()
        assert (answer.data["id"], answer.data["tier"], answer.data["status"]) == (
            str(case.pk),
            1,
            "submitted",
        )
        assert answer.data["is_final"] is False
        assert case.next_check_at is not None
        assert api(customer).get("/api/v1/users/me").data["kyc_status"] == "submitted"
        assert api(customer).get("/api/v1/users/me/kyc").data == answer.data

    def test_the_tiers_above_wait_for_a_person(self, api: Api, customer: User) -> None:
        answer = hand_in(api(customer), TIER_2)
        assert (answer.status_code, answer.data["status"]) == (201, "in_review")
        assert KycCase.objects.get().next_check_at is None

    def test_before_the_first_case_there_is_none(self, api: Api, customer: User) -> None:
        assert code_of(api(customer).get("/api/v1/users/me/kyc")) == (404, "not_found")

    def test_one_open_case_at_a_time(self, api: Api, customer: User) -> None:
        hand_in(api(customer))
        before = tables()
        assert code_of(hand_in(api(customer), TIER_2)) == (409, "kyc_case_open")
        assert tables() == before

    def test_a_tier_that_is_reached_is_not_checked_again(self, api: Api) -> None:
        before = tables()
        assert code_of(hand_in(api(UserFactory()))) == (409, "kyc_tier_reached")
        assert tables()[4] == before[4]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"tier": 0}, "tier"),
            ({"tier": 4}, "tier"),
            ({"tier": "1"}, "tier"),
            ({"tier": True}, "tier"),
            ({"tier": 1.0}, "tier"),
            ({"document_type": "passport"}, "document_type"),
            ({"document_type": ["bvn"]}, "document_type"),
            ({"document_number": "2234567890"}, "document_number"),
            ({"document_number": "2234567890a"}, "document_number"),
            ({"document_number": "٢٢٣٤٥٦٧٨٩٠١"}, "document_number"),
            ({"document_number": 22345678901}, "document_number"),
            ({"date_of_birth": "2026-02-30"}, "date_of_birth"),
            ({"date_of_birth": "0000-01-01"}, "date_of_birth"),
            ({"date_of_birth": "9999-12-31"}, "date_of_birth"),
            ({"date_of_birth": "١٩٩١-٠٥-٠٧"}, "date_of_birth"),
            ({"date_of_birth": "1991-5-7"}, "date_of_birth"),
            ({"date_of_birth": 19910507}, "date_of_birth"),
            ({"address": "x\u0000y"}, "address"),
            ({"tier": 2, "address": " "}, "address"),
            ({"status": "approved"}, "status"),
            ({"reason": "x"}, "reason"),
        ],
    )
    def test_8_11_bad_input_is_told_and_changes_nothing(
        self, api: Api, customer: User, changes: dict[str, Any], field: str
    ) -> None:
        before = tables()
        answer = hand_in(api(customer), {**TIER_1, **changes})
        assert {name for name, _ in field_codes(answer)} == {field}
        assert tables() == before

    def test_3_07_the_number_stands_in_no_answer_event_or_audit_row_and_encrypted_in_the_table(
        self, api: Api, customer: User
    ) -> None:
        answer = hand_in(api(customer))
        staff = reviewer()
        listed = api(staff).get("/api/v1/admin/kyc")
        decided = api(staff).post(f"/api/v1/admin/kyc/{answer.data['id']}/approve", {}, format="json")
        assert decided.status_code == 200
        told = [answer.content, listed.content, decided.content]
        told += [str(list(rows.objects.values())).encode() for rows in (Event, AuditRecord)]
        with connection.cursor() as cursor:
            cursor.execute("SELECT k::text || d::text FROM users_kyccase k, users_identitydocument d")
            told.append(cursor.fetchone()[0].encode())
        assert not [
            text for text in told if NUMBER.encode() in text or NUMBER.encode().hex().encode() in text
        ]
        assert KycCase.objects.get().document_number == NUMBER


class TestDecide:
    @pytest.fixture
    def case(self, api: Api, customer: User) -> KycCase:
        """An open case of tier 2."""
        hand_in(api(customer), TIER_2)
        return KycCase.objects.get()

    def test_approval_raises_the_tier_with_audit_and_event(self, api: Api, case: KycCase) -> None:
        staff = reviewer()
        answer = api(staff).post(f"/api/v1/admin/kyc/{case.pk}/approve", {}, format="json")
        assert (answer.status_code, answer.data["status"]) == (200, "approved")
        assert answer.data["decided_by"] == str(staff.pk)
        assert User.objects.get(pk=case.user_id).kyc_tier == 2
        record = AuditRecord.objects.get(action="kyc.approved")
        assert (record.actor_id, record.changes) == (
            staff.pk,
            {"status": ["in_review", "approved"], "kyc_tier": [0, 2]},
        )
        event = Event.objects.get(type="kyc.approved")
        assert (event.user_id, event.payload) == (case.user_id, {"case_id": str(case.pk), "tier": 2})

    def test_rejection_tells_the_customer_why_and_leaves_the_tier(self, api: Api, case: KycCase) -> None:
        answer = api(reviewer()).post(
            f"/api/v1/admin/kyc/{case.pk}/reject", {"reason": "The photo is blurred."}, format="json"
        )
        assert (answer.status_code, answer.data["status"]) == (200, "rejected")
        owner = User.objects.get(pk=case.user_id)
        assert owner.kyc_tier == 0
        assert api(owner).get("/api/v1/users/me/kyc").data["reason"] == "The photo is blurred."
        assert hand_in(api(owner), TIER_2).status_code == 201

    def test_a_rejection_says_why(self, api: Api, case: KycCase) -> None:
        answer = api(reviewer()).post(f"/api/v1/admin/kyc/{case.pk}/reject", {}, format="json")
        assert field_codes(answer) == {("reason", "required")}
        assert KycCase.objects.get().status == "in_review"

    def test_a_decided_case_is_closed(self, api: Api, case: KycCase) -> None:
        client = api(reviewer())
        client.post(f"/api/v1/admin/kyc/{case.pk}/reject", {"reason": "no"}, format="json")
        before = tables()
        again = client.post(f"/api/v1/admin/kyc/{case.pk}/approve", {}, format="json")
        assert code_of(again) == (409, "kyc_case_closed")
        assert tables() == before

    def test_an_approval_never_lowers_a_tier(self, api: Api, case: KycCase) -> None:
        User.objects.filter(pk=case.user_id).update(kyc_tier=3)
        api(reviewer()).post(f"/api/v1/admin/kyc/{case.pk}/approve", {}, format="json")
        assert User.objects.get(pk=case.user_id).kyc_tier == 3

    def test_a_document_belongs_to_one_customer(self, api: Api, case: KycCase) -> None:
        client = api(reviewer())
        client.post(f"/api/v1/admin/kyc/{case.pk}/approve", {}, format="json")
        other = UnverifiedUserFactory()
        hand_in(api(other), {**TIER_2, "document_number": "a0 1234567"})
        mine = KycCase.objects.get(user=other)
        before = tables()
        answer = client.post(f"/api/v1/admin/kyc/{mine.pk}/approve", {}, format="json")
        assert code_of(answer) == (409, "document_in_use")
        assert tables() == before
        assert IdentityDocument.objects.get().user_id == case.user_id

    def test_the_same_customer_may_use_a_document_again(self, api: Api, case: KycCase) -> None:
        client = api(reviewer())
        client.post(f"/api/v1/admin/kyc/{case.pk}/approve", {}, format="json")
        hand_in(api(User.objects.get(pk=case.user_id)), {**TIER_2, "tier": 3})
        again = KycCase.objects.get(tier=3)
        assert client.post(f"/api/v1/admin/kyc/{again.pk}/approve", {}, format="json").status_code == 200
        assert User.objects.get(pk=case.user_id).kyc_tier == 3

    @pytest.mark.parametrize("action", ["approve", "reject"])
    def test_5_09_nobody_decides_their_own_case(self, api: Api, case: KycCase, action: str) -> None:
        User.objects.filter(pk=case.user_id).update(is_staff=True, is_superuser=True)
        before = tables()
        client = api(User.objects.get(pk=case.user_id))
        answer = client.post(f"/api/v1/admin/kyc/{case.pk}/{action}", {"reason": "me"}, format="json")
        assert code_of(answer) == (403, "own_case")
        assert tables() == before

    def test_5_03_the_database_refuses_ones_own_case_too(self, case: KycCase) -> None:
        with pytest.raises(IntegrityError, match="nobody_decides"), transaction.atomic():
            KycCase.objects.filter(pk=case.pk).update(decided_by=case.user_id)

    @pytest.mark.parametrize("who", ["nobody", "customer", "staff without the permission", "permission only"])
    def test_5_01_only_staff_with_the_permission_may(self, api: Api, case: KycCase, who: str) -> None:
        permitted = reviewer()
        User.objects.filter(pk=permitted.pk).update(is_staff=False)
        people = {
            "nobody": None,
            "customer": User.objects.get(pk=case.user_id),
            "staff without the permission": StaffFactory(),
            "permission only": User.objects.get(pk=permitted.pk),
        }
        client = api(people[who])
        before = tables()
        answers = [
            client.get("/api/v1/admin/kyc"),
            client.post(f"/api/v1/admin/kyc/{case.pk}/approve", {}, format="json"),
            client.post(f"/api/v1/admin/kyc/{case.pk}/reject", {"reason": "x"}, format="json"),
        ]
        expected = (401, "not_authenticated") if who == "nobody" else (403, "permission_denied")
        assert {code_of(answer) for answer in answers} == {expected}
        assert tables() == before

    def test_a_case_that_does_not_exist(self, api: Api) -> None:
        answer = api(reviewer()).post(f"/api/v1/admin/kyc/{uuid4()}/approve", {}, format="json")
        assert code_of(answer) == (404, "not_found")


class TestStaffList:
    def test_filters_by_status_newest_first(self, api: Api) -> None:
        people = [UnverifiedUserFactory() for _ in range(3)]
        for person in people:
            hand_in(api(person), TIER_2 if person is people[1] else TIER_1)
        client = api(reviewer())
        rows = client.get("/api/v1/admin/kyc").data["results"]
        assert [row["user"]["id"] for row in rows] == [str(person.pk) for person in reversed(people)]
        in_review = client.get("/api/v1/admin/kyc?status=in_review").data["results"]
        assert [row["user"]["id"] for row in in_review] == [str(people[1].pk)]

    @pytest.mark.parametrize("query", ["status=none", "user_id=2", "status=", "page_size=0", "page_size=101"])
    def test_1_07_unknown_filters_and_values_are_refused(self, api: Api, query: str) -> None:
        answer = api(reviewer()).get(f"/api/v1/admin/kyc?{query}")
        assert {field for field, _ in field_codes(answer)} == {query.partition("=")[0]}


class TestOneOpenCase:
    def test_the_database_holds_it(self, api: Api, customer: User) -> None:
        hand_in(api(customer))
        with pytest.raises(IntegrityError, match="kyc_one_open_case"), transaction.atomic():
            KycCase.objects.create(
                user=customer,
                tier=1,
                document_type="nin",
                document_number=NUMBER,
                document_fingerprint=kyc.document_fingerprint("nin", NUMBER),
                date_of_birth="1991-05-07",
                created_at=timezone.now(),
            )


def test_the_phone_waits_no_longer_than_it_says(phone: Callable[..., Phone]) -> None:
    app = phone()
    app.register()
    started = timezone.now()
    answer = app.send("post", "/users/me/kyc", TIER_1, Prefer="wait=1")
    assert (answer.status_code, answer.data["status"]) == (201, "submitted")
    assert 0.9 < (timezone.now() - started).total_seconds() < 3
