"""Refresh tokens under real parallelism and real deaths."""

import signal
from functools import partial
from pathlib import Path

import pytest
from django.db import connection

from fintech_core import clock
from tests.users.parallel import in_parallel, run_in_process
from tests.users.people import PASSWORD, sign_up
from users.devices import Device
from users.errors import TokenReused
from users.models import RefreshToken, Session
from users.services import accounts, sessions

pytestmark = [pytest.mark.concurrency, pytest.mark.usefixtures("committed_db")]
REFRESH = """
from fintech_core import clock
from users.devices import Device
from users.services import sessions
sessions.refresh(token=argument, device=Device(user_agent="Ours/1.0"), now=clock.now())
"""
PHONE = Device(user_agent="Ours/1.0")


@pytest.fixture
def first() -> str:
    """The refresh token of a new sign-up."""
    body = sign_up()
    return accounts.register(**{**body, "password": PASSWORD}, device=PHONE, now=clock.now()).refresh


class TestParallelRefresh:
    def test_eight_at_once_have_one_live_successor(self, first: str) -> None:
        def exchange(token: str) -> str:
            return sessions.refresh(token=token, device=PHONE, now=clock.now()).refresh

        token = first
        for _ in range(5):
            answers = in_parallel(8, partial(lambda held, _: exchange(held), token))
            assert len(set(answers)) == 1
            token = answers[0]
        assert RefreshToken.objects.filter(consumed_at=None).count() == 1
        assert RefreshToken.objects.count() == 6
        assert Session.objects.get().revoked_at is None

    def test_eight_devices_at_once_have_at_most_one_successor_and_the_family_dies(self, first: str) -> None:
        def steal(number: int) -> str:
            device = Device(user_agent=f"Thief/{number}")
            try:
                return sessions.refresh(token=first, device=device, now=clock.now()).refresh
            except Exception as refusal:
                return type(refusal).__name__

        answers = in_parallel(8, steal)
        refusals = [answer for answer in answers if answer in {"TokenReused", "SessionRevoked"}]
        assert len(refusals) == 7
        assert "TokenReused" in refusals
        assert RefreshToken.objects.count() == 2
        assert Session.objects.get().revoked_reason == "token_reused"

    def test_a_process_killed_between_consume_and_issue_leaves_the_old_token_good(
        self, first: str, tmp_path: Path
    ) -> None:
        (tmp_path / "users.refresh_consumed.kill").touch()
        ended = run_in_process(REFRESH, first, crash_points=tmp_path)
        assert ended.returncode == -signal.SIGKILL
        assert RefreshToken.objects.get().consumed_at is None
        assert sessions.refresh(token=first, device=PHONE, now=clock.now()).refresh

    def test_the_revocation_is_committed_before_the_error(self, first: str) -> None:
        sessions.refresh(token=first, device=PHONE, now=clock.now())
        with pytest.raises(TokenReused):
            sessions.refresh(token=first, device=Device(user_agent="Thief/1.0"), now=clock.now())
        connection.close()
        assert Session.objects.get().revoked_reason == "token_reused"
