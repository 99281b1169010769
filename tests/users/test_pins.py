"""The transaction PIN: setting, checking, resetting."""

import hmac
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from fintech_core.models import AuditRecord
from notifications.catalogue import CATALOGUE
from notifications.models import Event
from notifications.rendering import render
from tests.factories import StaffFactory, UserFactory
from tests.users.people import PASSWORD, Phone, code_of, field_codes, tables
from users import obvious_pins
from users.enums import DocumentType
from users.errors import InvalidPin, OwnCase, PinLocked, PinNotSet, PinRequired
from users.models import TransactionPin, User
from users.services import kyc, pins

Phones = Callable[..., Phone]
PIN = "5083"


@pytest.fixture
def app(phone: Phones) -> Phone:
    """A signed-in phone of somebody born on 7 May 1991 with a number ending in 4567."""
    made = phone()
    made.register(phone="+2348031234567")
    return made


def owner() -> User:
    return User.objects.get(is_staff=False)


def given_pin(user: User, pin: str = PIN) -> User:
    """Give the user a PIN."""
    user.set_password(PASSWORD)
    pins.set_pin(user=user, pin=pin, password=PASSWORD, current_pin=None, now=timezone.now())
    return user


class TestObviousPins:
    @pytest.mark.parametrize("pin", ["5083", "1122", "508391", "1357", "123321"])
    def test_others_are_good(self, pin: str) -> None:
        assert obvious_pins.fault_of(pin, phone="+2348031234567", born=[date(1991, 5, 7)]) is None

    @pytest.mark.parametrize(
        "pin",
        [
            *("0000", "1111", "1212", "123123"),
            *("1234", "4321", "7890", "0987", "123456", "987654"),
            *("1991", "0705", "0507", "070591", "910507"),
            *("4567", "234567"),
        ],
    )
    def test_2_21_obvious_ones_are_weak(self, pin: str) -> None:
        fault = obvious_pins.fault_of(pin, phone="+2348031234567", born=[date(1991, 5, 7)])
        assert fault is not None
        assert fault[0] == "weak_pin"

    @pytest.mark.parametrize(
        "pin", ["", "123", "12345", "1234567", "50a3", "５０８３", " 5083", "5083\n", "-508"]
    )
    def test_a_pin_has_four_or_six_ascii_digits(self, pin: str) -> None:
        fault = obvious_pins.fault_of(pin, phone=None, born=[])
        assert fault is not None
        assert fault[0] == "invalid"


@pytest.mark.django_db
class TestSetPin:
    def test_the_first_one_comes_with_the_password(self, app: Phone) -> None:
        answer = app.send("put", "/users/me/pin", {"pin": PIN, "password": PASSWORD})
        assert (answer.status_code, answer.content) == (204, b"")
        assert app.send("get", "/users/me").data["has_pin"] is True
        assert Event.objects.filter(type="pin.set").count() == 1

    def test_2_25_not_without_the_password(self, app: Phone) -> None:
        before = tables()
        missing = app.send("put", "/users/me/pin", {"pin": PIN})
        wrong = app.send("put", "/users/me/pin", {"pin": PIN, "password": "wrong-Password-1"})
        assert field_codes(missing) == {("password", "required")}
        assert code_of(wrong) == (403, "invalid_password")
        assert tables() == before

    def test_2_25_a_change_needs_the_pin_that_it_replaces(self, app: Phone) -> None:
        app.send("put", "/users/me/pin", {"pin": PIN, "password": PASSWORD})
        before = tables()
        with_password = app.send("put", "/users/me/pin", {"pin": "7391", "password": PASSWORD})
        wrong = app.send("put", "/users/me/pin", {"pin": "7391", "current_pin": "9999"})
        assert code_of(with_password) == (403, "pin_required")
        assert "in the field current_pin" in with_password.data["detail"]
        assert code_of(wrong) == (403, "invalid_pin")
        assert wrong.data["attempts_left"] == 4
        assert tables() == before
        assert app.send("put", "/users/me/pin", {"pin": "7391", "current_pin": PIN}).status_code == 204
        pins.verify(user_id=owner().pk, pin="7391")

    @pytest.mark.parametrize(("pin", "code"), [("1234", "weak_pin"), ("4567", "weak_pin"), ("12", "invalid")])
    def test_2_21_a_weak_one_is_a_field_error(self, app: Phone, pin: str, code: str) -> None:
        before = tables()
        answer = app.send("put", "/users/me/pin", {"pin": pin, "password": PASSWORD})
        assert field_codes(answer) == {("pin", code)}
        assert tables() == before

    def test_2_21_the_birth_year_counts_once_it_is_known(self, app: Phone) -> None:
        kyc.submit(
            user=owner(),
            tier=1,
            document_type=DocumentType.BVN,
            document_number="22222222222",
            date_of_birth=date(1991, 5, 7),
            now=timezone.now(),
        )
        answer = app.send("put", "/users/me/pin", {"pin": "1991", "password": PASSWORD})
        assert field_codes(answer) == {("pin", "weak_pin")}

    @pytest.mark.parametrize("pin", [5083, None, True, ["5083"], {"$gt": ""}])
    def test_a_pin_is_a_string(self, app: Phone, pin: Any) -> None:
        before = tables()
        answer = app.send("put", "/users/me/pin", {"pin": pin, "password": PASSWORD})
        assert {field for field, _ in field_codes(answer)} == {"pin"}
        assert tables() == before


@pytest.mark.django_db
class TestVerify:
    def test_the_right_one_passes_and_forgets_earlier_misses(self) -> None:
        user = given_pin(UserFactory())
        for _ in range(4):
            with pytest.raises(InvalidPin):
                pins.verify(user_id=user.pk, pin="0000")
        pins.verify(user_id=user.pk, pin=PIN)
        assert TransactionPin.objects.get().failed_attempts == 0

    def test_2_19_the_fifth_miss_locks_and_then_the_right_one_is_refused_too(self) -> None:
        user = given_pin(UserFactory())
        left = []
        for _ in range(4):
            with pytest.raises(InvalidPin) as refusal:
                pins.verify(user_id=user.pk, pin="0000")
            left.append(refusal.value.facts["attempts_left"])
        assert left == [4, 3, 2, 1]
        for pin in ("0000", PIN, PIN):
            with pytest.raises(PinLocked):
                pins.verify(user_id=user.pk, pin=pin)
        assert Event.objects.filter(type="pin.locked").count() == 1
        assert AuditRecord.objects.filter(action="pin.locked").count() == 1

    def test_whoever_is_locked_out_is_sent_to_support_since_a_new_pin_cannot_be_set(self) -> None:
        user = given_pin(UserFactory())
        for _ in range(5):
            with pytest.raises((InvalidPin, PinLocked)):
                pins.verify(user_id=user.pk, pin="0000")
        with pytest.raises(PinLocked) as refusal:
            pins.set_pin(user=user, pin="6194", password=PASSWORD, current_pin=PIN, now=timezone.now())
        told = render(CATALOGUE["pin.locked"], {}, language="en").body
        assert "support" in refusal.value.facts["how_to_fix"]
        assert "support" in told
        assert "new" not in told

    def test_not_sent_and_not_set_have_codes_of_their_own(self) -> None:
        user = UserFactory()
        with pytest.raises(PinRequired):
            pins.verify(user_id=user.pk, pin=None)
        with pytest.raises(PinNotSet):
            pins.verify(user_id=user.pk, pin=PIN)

    def test_equal_pins_of_two_people_look_different(self) -> None:
        given_pin(UserFactory()), given_pin(UserFactory())
        first, second = (bytes(row.digest) for row in TransactionPin.objects.all())
        assert first != second

    def test_a_dump_without_the_pepper_is_useless(self, settings: Settings) -> None:
        user = given_pin(UserFactory())
        stored = bytes(TransactionPin.objects.get().digest)
        guesses = (f"{number:04}".encode() for number in range(10_000))
        unkeyed = {hmac.digest(b"", b"pin|" + user.pk.bytes + b"|" + guess, "sha256") for guess in guesses}
        assert stored not in unkeyed
        settings.PIN_PEPPERS = ["1:quite-another-pepper-of-more-than-32-bytes"]
        with pytest.raises(InvalidPin):
            pins.verify(user_id=user.pk, pin=PIN)

    def test_a_new_pepper_takes_over_at_the_next_right_pin(self, settings: Settings) -> None:
        user = given_pin(UserFactory())
        old = settings.PIN_PEPPERS[0]
        settings.PIN_PEPPERS = ["2:quite-another-pepper-of-more-than-32-bytes", old]
        with pytest.raises(InvalidPin):
            pins.verify(user_id=user.pk, pin="0000")
        assert TransactionPin.objects.get().pepper_version == 1
        pins.verify(user_id=user.pk, pin=PIN)
        settings.PIN_PEPPERS = ["2:quite-another-pepper-of-more-than-32-bytes"]
        pins.verify(user_id=user.pk, pin=PIN)
        assert TransactionPin.objects.get().pepper_version == 2


@pytest.mark.django_db
class TestReset:
    def test_by_staff_is_audited_told_and_lets_a_new_one_be_set(self) -> None:
        user, staff = given_pin(UserFactory()), StaffFactory(is_superuser=True)
        for _ in range(4):
            with pytest.raises(InvalidPin):
                pins.verify(user_id=user.pk, pin="0000")
        with pytest.raises(PinLocked):
            pins.verify(user_id=user.pk, pin="0000")
        call_command("reset_pin", user.email, "--actor", staff.email, "--reason", "called, identity checked")
        record = AuditRecord.objects.get(action="pin.reset")
        assert (record.actor_id, record.reason) == (staff.pk, "called, identity checked")
        assert Event.objects.filter(type="pin.reset", user_id=user.pk).count() == 1
        with pytest.raises(PinNotSet):
            pins.verify(user_id=user.pk, pin=PIN)
        pins.verify(user_id=given_pin(user, "7391").pk, pin="7391")

    def test_staff_without_the_permission_may_not(self) -> None:
        user, staff = given_pin(UserFactory()), StaffFactory()
        with pytest.raises(CommandError, match="may not"):
            call_command("reset_pin", user.email, "--actor", staff.email, "--reason", "asked nicely")
        pins.verify(user_id=user.pk, pin=PIN)

    def test_5_09_nobody_resets_their_own(self) -> None:
        staff = given_pin(StaffFactory(is_superuser=True))
        with pytest.raises(OwnCase):
            pins.reset(user_id=staff.pk, actor=staff, reason="forgot it")
        pins.verify(user_id=staff.pk, pin=PIN)


@pytest.mark.usefixtures("committed_db")
class TestOwnTransaction:
    def test_refuses_to_run_inside_another_one(self) -> None:
        user = given_pin(UserFactory())
        with pytest.raises(RuntimeError), transaction.atomic():
            pins.verify(user_id=user.pk, pin="0000")
        assert TransactionPin.objects.get().failed_attempts == 0

    def test_only_what_changed_nothing_need_not_reach_the_disk(self) -> None:
        """A miss that a crash takes back could be guessed again, so it is on disk before it is told."""
        user = given_pin(UserFactory())

        def is_durable(check: Callable[[], object]) -> bool:
            with CaptureQueriesContext(connection) as queries:
                check()
            return not any("synchronous_commit" in query["sql"] for query in queries)

        def miss() -> None:
            with pytest.raises(InvalidPin):
                pins.verify(user_id=user.pk, pin="0000")

        def hit() -> None:
            pins.verify(user_id=user.pk, pin=PIN)

        assert [is_durable(check) for check in (hit, miss, hit, hit)] == [False, True, True, False]
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == ("on",)

    def test_a_check_is_quick(self) -> None:
        user = given_pin(UserFactory())
        pins.verify(user_id=user.pk, pin=PIN)
        started = time.process_time()
        for _ in range(200):
            pins.verify(user_id=user.pk, pin=PIN)
        assert (time.process_time() - started) / 200 < 0.01
