"""What operators do from a shell: each change names who answers for it and why, and is audited."""

import io
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command

from fintech_core.models import AuditRecord
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import main_wallet
from transactions import switches
from transactions.errors import MoneyOutPaused
from users.models import User

pytestmark = pytest.mark.django_db


def run(name: str, *arguments: str) -> str:
    """Run a command in this process and return what it printed."""
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def staff_who_may(app: str, codename: str) -> User:
    """Make a staff member with one permission."""
    staff = StaffFactory()
    staff.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return staff


class TestFreezeWallet:
    def test_freezes_and_unfreezes_with_a_reason(self) -> None:
        wallet, staff = main_wallet(UserFactory()), staff_who_may("wallet", "freeze_wallet")
        told = run("freeze_wallet", str(wallet.pk), f"--actor={staff.email}", "--reason=fraud alert")
        assert told == f"Wallet {wallet.pk} is frozen.\n"
        run("unfreeze_wallet", str(wallet.pk), f"--actor={staff.email}", "--reason=cleared")
        wallet.refresh_from_db()
        assert wallet.status == "active"
        rows = AuditRecord.objects.filter(target_id=str(wallet.pk)).order_by("id")
        assert [(row.action, row.actor_id, row.reason) for row in rows] == [
            ("wallet.frozen", staff.pk, "fraud alert"),
            ("wallet.unfrozen", staff.pk, "cleared"),
        ]

    def test_no_debit_lets_money_in(self) -> None:
        wallet, staff = main_wallet(UserFactory()), staff_who_may("wallet", "freeze_wallet")
        run("freeze_wallet", str(wallet.pk), f"--actor={staff.email}", "--reason=x", "--no-debit")
        wallet.refresh_from_db()
        assert wallet.status == "no_debit"

    @pytest.mark.parametrize("command", ["freeze_wallet", "unfreeze_wallet"])
    def test_is_refused_without_the_permission_for_no_wallet_and_out_of_turn(self, command: str) -> None:
        wallet, staff = main_wallet(UserFactory()), staff_who_may("wallet", "freeze_wallet")
        with pytest.raises(CommandError, match="may not"):
            run(command, str(wallet.pk), f"--actor={StaffFactory().email}", "--reason=x")
        with pytest.raises(CommandError):
            run(command, str(uuid4()), f"--actor={staff.email}", "--reason=x")
        with pytest.raises(CommandError):
            run("unfreeze_wallet", str(wallet.pk), f"--actor={staff.email}", "--reason=x")
        wallet.refresh_from_db()
        assert wallet.status == "active"
        assert not AuditRecord.objects.filter(target_id=str(wallet.pk)).exists()


class TestMoneyOut:
    def test_stops_resumes_and_tells(self) -> None:
        staff = staff_who_may("transactions", "switch_money_out")
        assert run("money_out", "status") == "Outgoing money flows.\n"
        told = run("money_out", "stop", f"--actor={staff.email}", "--reason=drill")
        assert told == "Outgoing money is stopped.\n"
        with pytest.raises(MoneyOutPaused):
            switches.require_money_out()
        told = run("money_out", "resume", f"--actor={staff.email}", "--reason=over")
        assert told == "Outgoing money flows.\n"
        actions = AuditRecord.objects.order_by("id").values_list("action", "reason")
        assert list(actions) == [("money_out.stopped", "drill"), ("money_out.resumed", "over")]

    def test_is_refused_without_actor_reason_or_permission(self) -> None:
        staff = staff_who_may("transactions", "switch_money_out")
        for arguments in (
            [],
            [f"--actor={staff.email}"],
            ["--reason=x"],
            ["--actor=nobody@example.com", "--reason=x"],
            [f"--actor={StaffFactory().email}", "--reason=x"],
        ):
            with pytest.raises(CommandError):
                run("money_out", "stop", *arguments)
        assert run("money_out", "status") == "Outgoing money flows.\n"
        assert not AuditRecord.objects.exists()
