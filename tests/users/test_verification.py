"""The verifier: the adapter against the sandbox process, and what follows from its answers."""

import logging
import signal
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from fintech_core.models import AuditRecord
from fintech_core.outcomes import ProviderError
from notifications.models import Event
from tests.factories import UnverifiedUserFactory
from tests.sandbox.actors import Merchant, SandboxProcess
from tests.users.parallel import in_parallel, run_in_process
from users import tasks
from users.models import KycCase, User
from users.services import kyc, verification
from users.verifiers.base import IdentityCheck, Verdict
from users.verifiers.http import HttpVerifier

VERIFY = """
from uuid import UUID
from users.services import verification
verification.verify_case(case_id=UUID(argument))
"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The sandbox process."""
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox") / "book.sqlite3")
    yield process
    process.end(subprocess.Popen.terminate)


@pytest.fixture
def vendor(sandbox: SandboxProcess, settings: Settings) -> Iterator[Merchant]:
    """The verifier in front of an empty book."""
    settings.VERIFIER_BASE_URL = f"{sandbox.url}/verifier"
    settings.VENDOR_READ_TIMEOUT_S = 2.0
    actor = Merchant(sandbox.url)
    with actor.http:
        actor.control("reset")
        yield actor


def asked(vendor: Merchant) -> list[str]:
    """Return method and path of every request that the verifier got."""
    return [
        f"{seen['method']} {seen['path']}"
        for seen in vendor.http.get("/_control/requests").json()["requests"]
    ]


def question(number: str = "22345678901") -> IdentityCheck:
    return IdentityCheck(str(uuid4()), "bvn", number, date(1991, 5, 7), "Chidi", "Okafor")


def new_case(number: str = "22345678901", user: User | None = None) -> KycCase:
    """Hand a tier 1 case in."""
    return kyc.submit(
        user=user or UnverifiedUserFactory(),
        tier=1,
        document_type="bvn",
        document_number=number,
        date_of_birth=date(1991, 5, 7),
        now=timezone.now(),
    )


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=True)


@pytest.mark.adapter
class TestHttpVerifier:
    @pytest.mark.parametrize(
        ("number", "verdict"),
        [
            ("22345678901", Verdict.APPROVED),
            ("12345678901", Verdict.REJECTED),
            ("32345678901", Verdict.REVIEW),
        ],
    )
    def test_reads_a_definite_answer_and_finds_it_again(
        self, vendor: Merchant, number: str, verdict: Verdict
    ) -> None:
        asking = question(number)
        answer = HttpVerifier().check(asking)
        assert answer.verdict is verdict
        assert HttpVerifier().find(asking.reference) == answer
        assert number not in answer.reason

    def test_a_reference_that_never_arrived_is_not_found(self, vendor: Merchant) -> None:
        assert HttpVerifier().find(str(uuid4())) is None

    @pytest.mark.parametrize(
        "kind",
        [
            "error_before",
            "error_after",
            "garbage",
            "truncated",
            "rate_limited",
            "unauthorized",
            "float_empty",
        ],
    )
    def test_10_15_whatever_else_comes_back_is_unknown(self, vendor: Merchant, kind: str) -> None:
        vendor.fault("verifier", "identity", kind, times=1)
        with pytest.raises(ProviderError) as refusal:
            HttpVerifier().check(question())
        assert refusal.value.outcome == "unknown"

    def test_a_server_that_is_away_did_not_get_the_question(self, settings: Settings) -> None:
        settings.VERIFIER_BASE_URL = "http://127.0.0.1:9"
        with pytest.raises(ProviderError) as refusal:
            HttpVerifier().check(question())
        assert refusal.value.outcome == "not_sent"

    def test_the_same_reference_for_somebody_else_is_unknown(self, vendor: Merchant) -> None:
        asking = question()
        HttpVerifier().check(asking)
        other = IdentityCheck(asking.reference, "bvn", "22345678902", date(1990, 1, 1), "Bola", "Ade")
        with pytest.raises(ProviderError):
            HttpVerifier().check(other)

    def test_shows_no_personal_number(self, vendor: Merchant, caplog: pytest.LogCaptureFixture) -> None:
        asking = question()
        with caplog.at_level(logging.DEBUG):
            HttpVerifier().check(asking)
        assert asking.document_number not in caplog.text + repr(asking)
        redacted = HttpVerifier().redact({"reference": "r", "document_number": "1", "first_name": "A"})
        assert redacted == {"reference": "r", "document_number": "[redacted]", "first_name": "[redacted]"}


@pytest.mark.usefixtures("committed_db")
class TestVerifyCase:
    @pytest.mark.parametrize(
        ("number", "status", "tier", "event"),
        [
            ("22345678901", "approved", 1, "kyc.approved"),
            ("12345678901", "rejected", 0, "kyc.rejected"),
            ("32345678901", "in_review", 0, None),
        ],
    )
    def test_the_answer_decides(
        self, vendor: Merchant, number: str, status: str, tier: int, event: str | None
    ) -> None:
        case = new_case(number)
        tasks.verify_kyc(str(case.pk))
        case.refresh_from_db()
        assert (case.status, case.next_check_at, case.lease_until) == (status, None, None)
        assert User.objects.get(pk=case.user_id).kyc_tier == tier
        types = set(Event.objects.values_list("type", flat=True)) - {"kyc.submitted"}
        assert types == ({event} if event else set())
        assert AuditRecord.objects.filter(actor_id=None, target_id=str(case.pk)).count() == 1

    def test_unknown_leaves_the_tier_and_is_asked_again_by_reference(self, vendor: Merchant) -> None:
        case = new_case()
        vendor.fault("verifier", "identity", "error_after", times=1)
        verification.verify_case(case_id=case.pk)
        case.refresh_from_db()
        assert (case.status, case.checks, case.lease_until) == ("submitted", 1, None)
        assert case.next_check_at is not None
        assert 4 < (case.next_check_at - timezone.now()).total_seconds() < 6
        verification.verify_case(case_id=case.pk)
        assert len(asked(vendor)) == 1
        with later(6):
            tasks.sweep_kyc()
            verification.verify_case(case_id=case.pk)
        case.refresh_from_db()
        assert case.status == "approved"
        reference = f"/verifier/identity/{case.pk}"
        assert asked(vendor) == ["POST /verifier/identity", f"GET {reference}"]

    def test_after_five_questions_without_an_answer_a_person_looks(
        self, vendor: Merchant, settings: Settings
    ) -> None:
        case = new_case()
        settings.VERIFIER_BASE_URL = "http://127.0.0.1:9"
        for number in range(5):
            with later(1000 * number):
                verification.verify_case(case_id=case.pk)
        case.refresh_from_db()
        assert (case.status, case.checks, case.next_check_at) == ("in_review", 5, None)
        assert User.objects.get(pk=case.user_id).kyc_tier == 0

    def test_a_document_of_somebody_else_goes_to_a_person(self, vendor: Merchant) -> None:
        first, second = new_case(), new_case()
        verification.verify_case(case_id=first.pk)
        verification.verify_case(case_id=second.pk)
        second.refresh_from_db()
        assert second.status == "in_review"
        assert User.objects.get(pk=second.user_id).kyc_tier == 0

    def test_a_person_who_was_faster_stands(self, vendor: Merchant) -> None:
        case, staff = new_case("12345678901"), UnverifiedUserFactory(is_staff=True)
        claimed = verification.attempts.claim(KycCase.objects.all(), pk=case.pk, lease=verification.LEASE)[0]
        kyc.approve(case_id=case.pk, actor=staff, now=timezone.now())
        verification.settle(
            claimed=claimed, answer=HttpVerifier().check(question("1" * 11)), now=timezone.now()
        )
        case.refresh_from_db()
        assert (case.status, case.decided_by_id) == ("approved", staff.pk)

    def test_a_worker_that_slept_past_its_lease_writes_nothing(self, vendor: Merchant) -> None:
        case = new_case("12345678901")
        slept = verification.attempts.claim(KycCase.objects.all(), pk=case.pk, lease=timedelta(0))[0]
        verification.attempts.claim(KycCase.objects.all(), pk=case.pk, lease=timedelta(0))
        verification.settle(claimed=slept, answer=HttpVerifier().check(question()), now=timezone.now())
        case.refresh_from_db()
        assert (case.status, case.lease_number) == ("submitted", 2)

    def test_a_case_that_is_gone_or_decided_is_no_error(self, vendor: Merchant) -> None:
        verification.verify_case(case_id=UUID(int=1))
        assert asked(vendor) == []


@pytest.mark.concurrency
@pytest.mark.usefixtures("committed_db")
class TestParallelWorkers:
    def test_one_case_is_asked_about_once(self, vendor: Merchant) -> None:
        case = new_case()

        def work(_: int) -> str:
            verification.verify_case(case_id=case.pk)
            return ""

        in_parallel(8, work)
        assert asked(vendor) == ["POST /verifier/identity"]
        assert Event.objects.filter(type="kyc.approved").count() == 1

    def test_two_customers_with_one_document_make_one_owner(self, vendor: Merchant) -> None:
        cases = [new_case() for _ in range(6)]

        def work(number: int) -> str:
            verification.verify_case(case_id=cases[number].pk)
            return ""

        in_parallel(6, work)
        statuses = sorted(KycCase.objects.values_list("status", flat=True))
        assert statuses == ["approved"] + ["in_review"] * 5
        assert User.objects.filter(kyc_tier=1).count() == 1

    @pytest.mark.parametrize("point", ["users.kyc_claimed", "users.kyc_answered"])
    def test_a_worker_killed_on_the_way_is_taken_over_after_its_lease(
        self,
        vendor: Merchant,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        point: str,
    ) -> None:
        case = new_case()
        monkeypatch.setenv("VERIFIER_BASE_URL", settings.VERIFIER_BASE_URL)
        (tmp_path / f"{point}.kill").touch()
        assert run_in_process(VERIFY, str(case.pk), crash_points=tmp_path).returncode == -signal.SIGKILL
        verification.verify_case(case_id=case.pk)
        assert KycCase.objects.get().status == "submitted"
        with later(91):
            assert verification.sweep(now=timezone.now()) == 1
            verification.verify_case(case_id=case.pk)
        assert KycCase.objects.get().status == "approved"
        assert asked(vendor).count("POST /verifier/identity") == 1
