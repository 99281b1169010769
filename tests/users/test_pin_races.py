"""The PIN counter under real parallelism."""

import pytest

from fintech_core.exceptions import DomainError
from tests.factories import UserFactory
from tests.users.parallel import in_parallel
from tests.users.test_pins import PIN, given_pin
from users.models import TransactionPin
from users.services import pins

pytestmark = [pytest.mark.concurrency, pytest.mark.usefixtures("committed_db")]


def outcome(user_id: object, pin: str) -> str:
    """Check a PIN and name what came of it."""
    try:
        pins.verify(user_id=user_id, pin=pin)  # type: ignore[arg-type]
    except DomainError as refusal:
        return refusal.code
    return "right"


class TestParallelPins:
    def test_2_19_of_many_wrong_ones_four_are_told_so_and_the_rest_find_it_locked(self) -> None:
        user = given_pin(UserFactory())
        outcomes = in_parallel(20, lambda number: outcome(user.pk, f"{number:04}"))
        assert sorted(outcomes) == ["invalid_pin"] * 4 + ["pin_locked"] * 16
        row = TransactionPin.objects.get()
        assert (row.failed_attempts, row.locked_at is not None) == (5, True)

    def test_right_ones_never_lock(self) -> None:
        user = given_pin(UserFactory())
        assert set(in_parallel(20, lambda _: outcome(user.pk, PIN))) == {"right"}
        assert TransactionPin.objects.get().failed_attempts == 0

    def test_a_pin_set_twice_at_once_is_set_once(self) -> None:
        user = UserFactory()

        def set_one(number: int) -> str:
            try:
                given_pin(user, f"{5083 + number}")
            except DomainError as refusal:
                return refusal.code
            return "set"

        outcomes = in_parallel(4, set_one)
        assert outcomes.count("set") == 1
        assert set(outcomes) == {"set", "pin_required"}
