"""``manage.py demo``: the story is true, and it says so when it is not."""

import re
from collections.abc import Iterator

import pytest

from tests.clients import eventually
from tests.stack import Stack

STEPS = 7
FIGURES = (
    "Ada's wallet NGN 0.00",
    "Ada's wallet NGN 50,000.00",
    "Ada's wallet NGN 45,000.00",
    "Chidi's wallet NGN 5,000.00",
    "Ada's wallet NGN 35,000.00",
    "cashback NGN 100.00",
    "Ada's wallet NGN 35,000.00, held 2,000.00",
    "Ada's wallet NGN 33,000.00",
    "0 findings",
)


@pytest.fixture
def beat(stack: Stack) -> Iterator[None]:
    """Beat rings for the sweeps, as it does under ``make run``."""
    stack.beat.start()
    yield
    stack.beat.stop()


class TestStory:
    @pytest.mark.usefixtures("beat")
    def test_every_step_is_as_promised_and_no_secret_is_shown(self, stack: Stack) -> None:
        told = stack.manage("demo", "--base-url", stack.address)
        assert told.returncode == 0, told.stdout + told.stderr
        for step in range(1, STEPS + 1):
            assert f"\n {step}  " in told.stdout
        for figure in FIGURES:
            assert f"✓ {figure}" in told.stdout or figure in told.stdout, figure
        assert re.search(r"token \d{4}-\d{4}-\d{4}-\d{4}", told.stdout)
        assert "Idempotent-Replayed: true" in told.stdout
        assert "✗" not in told.stdout
        for secret in ('"pin": "5083"', "a-Quiet-River", "eyJ", "\033["):
            assert secret not in told.stdout

    def test_a_promise_that_is_not_kept_is_named(self, stack: Stack) -> None:
        actor = ("--actor", "staff@example.com", "--reason", "A drill")
        assert stack.manage("seed_demo").returncode == 0
        assert stack.manage("money_out", "stop", *actor).returncode == 0
        try:
            # She goes on sending until the web process asks for the switch again.
            ada, bola = stack.person(funds="1000.00"), stack.person("Bola")
            eventually(lambda: ada.transfer(bola, "1.00").status_code == 503, "money out is stopped")
            told = stack.manage("demo", "--base-url", stack.address)
        finally:
            assert stack.manage("money_out", "resume", *actor).returncode == 0
            eventually(lambda: ada.transfer(bola, "1.00").status_code == 201, "money out goes on")
        assert told.returncode == 1
        assert "✗ POST /transactions/transfer answered 503, not 201." in told.stdout
        assert "money_out_paused" in told.stdout

    def test_without_a_system_it_says_what_to_start(self, stack: Stack) -> None:
        told = stack.manage("demo", "--base-url", "http://127.0.0.1:9")
        assert told.returncode == 1
        assert (
            "Nobody answers at http://127.0.0.1:9. Start make run in another terminal first." in told.stdout
        )
