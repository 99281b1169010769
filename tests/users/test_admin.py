"""What staff see and press in the admin."""

from collections.abc import Callable
from datetime import date
from ipaddress import IPv6Address
from random import randrange
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core import checks
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from fintech_core.models import AuditRecord
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.users.people import PASSWORD, Phone, code_of, tables
from tests.users.test_pins import PIN, given_pin
from users.models import IdentityDocument, KycCase, Session, TransactionPin, User
from users.services import kyc, pins

pytestmark = pytest.mark.django_db
SUBMITTED = {"_form_submitted": "on"}


def browser(user: User) -> Client:
    """Return a browser that is signed in to the admin."""
    client = Client()
    client.force_login(user)
    return client


def clerk(*codenames: str) -> User:
    """Return staff with exactly these permissions."""
    staff: User = StaffFactory()
    staff.user_permissions.set(
        Permission.objects.filter(codename__in=codenames, content_type__app_label="users")
    )
    return User.objects.get(pk=staff.pk)


def open_case(number: str = "A01234567") -> KycCase:
    return kyc.submit(
        user=UnverifiedUserFactory(),
        tier=2,
        document_type="passport",
        document_number=number,
        date_of_birth=date(1991, 5, 7),
        address="1 Broad Street",
        now=timezone.now(),
    )


class TestPages:
    @pytest.mark.parametrize("model", [User, Session, TransactionPin, KycCase, IdentityDocument])
    def test_every_list_and_page_opens_and_shows_no_secret(
        self, phone: Callable[..., Phone], model: type[User]
    ) -> None:
        app = phone()
        app.register()
        user = User.objects.get()
        given_pin(user)
        case = open_case()
        kyc.approve(case_id=case.pk, actor=UserFactory(is_staff=True), now=timezone.now())
        client = browser(StaffFactory(is_superuser=True))
        row = model.objects.order_by("pk").first()
        assert row is not None
        path = f"/admin/users/{model._meta.model_name}/"
        pages = [client.get(path), client.get(f"{path}{row.pk}/change/"), client.get(f"{path}?q=ada")]
        assert [page.status_code for page in pages] == [200, 200, 200]
        digest = bytes(TransactionPin.objects.get().digest).hex()
        shown = b"".join(page.content for page in pages).decode()
        assert not [secret for secret in (user.password, digest, "A01234567") if secret in shown]

    def test_the_number_of_a_document_is_masked(self) -> None:
        page = browser(StaffFactory(is_superuser=True)).get(f"/admin/users/kyccase/{open_case().pk}/change/")
        assert "•••••4567" in page.content.decode()

    def test_nobody_is_made_staff_by_a_form(self) -> None:
        customer = UserFactory()
        client = browser(StaffFactory(is_superuser=True))
        before = tables()
        answer = client.post(f"/admin/users/user/{customer.pk}/change/", {"is_staff": "on", "kyc_tier": 3})
        added = client.post("/admin/users/user/add/", {"email": "x@example.com", "is_staff": "on"})
        assert {answer.status_code, added.status_code} == {403}
        assert tables() == before

    def test_5_11_no_selection_can_be_deleted(self) -> None:
        customer = UserFactory()
        browser(StaffFactory(is_superuser=True)).post(
            "/admin/users/user/",
            {"action": "delete_selected", "_selected_action": str(customer.pk), "post": "yes"},
        )
        assert User.objects.filter(pk=customer.pk).exists()

    def test_the_system_checks_have_nothing_to_say(self) -> None:
        faults = [fault for fault in checks.run_checks() if "users" in str(fault.obj)]
        assert faults == []
        assert admin.site.is_registered(User)


class TestDialogs:
    def test_a_case_is_approved(self) -> None:
        case, staff = open_case(), clerk("view_kyccase", "decide_kyc")
        answer = browser(staff).post(f"/admin/users/kyccase/{case.pk}/approve/", SUBMITTED)
        assert answer.status_code == 200
        case.refresh_from_db()
        assert (case.status, case.decided_by_id) == ("approved", staff.pk)

    def test_a_case_is_rejected_with_a_reason_only(self) -> None:
        case, client = open_case(), browser(clerk("view_kyccase", "decide_kyc"))
        path = f"/admin/users/kyccase/{case.pk}/reject/"
        client.post(path, {**SUBMITTED, "reason": " "})
        case.refresh_from_db()
        assert case.status == "in_review"
        client.post(path, {**SUBMITTED, "reason": "The photo is blurred."})
        case.refresh_from_db()
        assert (case.status, case.reason) == ("rejected", "The photo is blurred.")

    @pytest.mark.parametrize("action", ["approve", "reject"])
    def test_opening_a_dialog_changes_nothing(self, action: str) -> None:
        case, client = open_case(), browser(clerk("view_kyccase", "decide_kyc"))
        before = tables()
        answer = client.get(f"/admin/users/kyccase/{case.pk}/{action}/?_form_submitted=on&reason=x")
        assert answer.status_code == 200
        assert tables() == before

    @pytest.mark.parametrize(
        ("path", "enough"),
        [
            ("kyccase/{case}/approve/", "decide_kyc"),
            ("kyccase/{case}/reject/", "decide_kyc"),
            ("user/{user}/reset_pin/", "reset_pin"),
            ("user/{user}/suspend/", "suspend_user"),
            ("session/{session}/end/", "end_session"),
        ],
    )
    def test_5_01_a_dialog_needs_its_own_permission(
        self, phone: Callable[..., Phone], path: str, enough: str
    ) -> None:
        phone().register()
        user, case = given_pin(User.objects.get()), open_case()
        address = "/admin/users/" + path.format(case=case.pk, user=user.pk, session=Session.objects.get().pk)
        every = ["decide_kyc", "reset_pin", "suspend_user", "end_session", "view_kyccase", "view_user"]
        refused = browser(clerk(*(name for name in every if name != enough)))
        allowed = browser(clerk(enough))
        before = tables()
        assert refused.post(address, {**SUBMITTED, "reason": "x"}).status_code == 403
        assert tables() == before
        assert allowed.post(address, {**SUBMITTED, "reason": "x"}).status_code == 200
        assert tables() != before

    def test_a_pin_is_reset(self) -> None:
        user, staff = given_pin(UserFactory()), clerk("view_user", "reset_pin")
        browser(staff).post(f"/admin/users/user/{user.pk}/reset_pin/", {**SUBMITTED, "reason": "called"})
        assert not TransactionPin.objects.exists()
        assert AuditRecord.objects.get(action="pin.reset").actor_id == staff.pk

    def test_5_09_a_refusal_is_told_and_changes_nothing(self) -> None:
        staff = given_pin(clerk("view_user", "reset_pin"))
        client = browser(User.objects.get(pk=staff.pk))
        client.post(f"/admin/users/user/{staff.pk}/reset_pin/", {**SUBMITTED, "reason": "mine"})
        pins.verify(user_id=staff.pk, pin=PIN)
        told = client.get("/admin/users/user/").content.decode()
        assert "Somebody else has to reset your PIN." in told

    def test_a_suspension_ends_every_session_and_is_undone(self, phone: Callable[..., Phone]) -> None:
        app = phone()
        app.register()
        user, client = User.objects.get(), browser(clerk("view_user", "suspend_user"))
        client.post(f"/admin/users/user/{user.pk}/suspend/", {**SUBMITTED, "reason": "fraud case 7"})
        assert code_of(app.send("get", "/users/me")) == (401, "session_revoked")
        client.post(f"/admin/users/user/{user.pk}/reinstate/", {**SUBMITTED, "reason": "cleared"})
        assert code_of(app.send("get", "/users/me")) == (401, "session_revoked")
        again = phone().send("post", "/auth/login", {"email": user.email, "password": PASSWORD})
        assert again.status_code == 200
        assert list(AuditRecord.objects.order_by("id").values_list("action", "reason")) == [
            ("user.suspended", "fraud case 7"),
            ("user.reinstated", "cleared"),
        ]


class TestSignIn:
    @pytest.fixture(autouse=True)
    def limited(self, settings: Settings) -> None:
        settings.RATE_LIMITS = True

    @pytest.fixture
    def staff(self) -> User:
        found: User = StaffFactory(email=f"{uuid4().hex}@example.com")
        found.set_password(PASSWORD)
        found.save()
        return found

    @staticmethod
    def attempt(staff: User, password: str, address: str) -> HttpResponse:
        body = {"username": staff.email, "password": password, "next": "/admin/"}
        return Client(REMOTE_ADDR=address).post("/admin/login/", body)

    def test_the_eleventh_try_in_a_minute_is_refused_with_the_right_password(self, staff: User) -> None:
        addresses = [str(IPv6Address(randrange(2**128))) for _ in range(11)]
        for address in addresses[:10]:
            assert "Please enter the correct" in self.attempt(staff, "wrong", address).content.decode()
        answer = self.attempt(staff, PASSWORD, addresses[10])
        assert answer.status_code == 200
        assert "Too many tries. Try again in" in answer.content.decode()
        assert "sessionid" not in answer.cookies

    def test_the_right_password_opens_the_admin(self, staff: User) -> None:
        answer = self.attempt(staff, PASSWORD, str(IPv6Address(randrange(2**128))))
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")
