"""Floats: staff set bounds, and each crossing of one is told once."""

import threading
from decimal import Decimal

import pytest
from django.db import connections

from fintech_core import clock
from fintech_core.models import AuditRecord
from notifications.models import Event
from tests.backoffice.desks import REASON, address, clerk
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund
from transactions import chart
from transactions.errors import FloatMonitorRefused
from transactions.models import FloatMonitor, LedgerAccount
from transactions.services.floats import check_floats, set_monitor
from transactions.tasks import check_floats as job

CLEARING = chart.gateway_clearing("paystack")
VIEW, ADD, CHANGE = (f"transactions.{verb}_floatmonitor" for verb in ("view", "add", "change"))


def account(code: str = CLEARING, currency: str = "NGN") -> LedgerAccount:
    """Return an account of the chart."""
    return LedgerAccount.objects.get(code=code, currency=currency)


def watch(floor: str | None = None, ceiling: str | None = None, *, is_active: bool = True) -> FloatMonitor:
    """Watch what Paystack has collected."""
    bounds = [None if bound is None else Decimal(bound) for bound in (floor, ceiling)]
    return set_monitor(
        account=account(),
        floor=bounds[0],
        ceiling=bounds[1],
        is_active=is_active,
        note=REASON,
        actor=StaffFactory(),
    )


def crossings() -> list[tuple[str, str, str, str]]:
    """Return what was told, oldest first."""
    told = Event.objects.filter(type="float.crossed").order_by("id").values_list("payload", flat=True)
    return [(row["before"], row["state"], row["balance"], row["bound"]) for row in told]


@pytest.mark.django_db
class TestCrossing:
    def test_each_is_told_once_and_the_way_back_too(self) -> None:
        watch("100.00", "1000.00")
        assert check_floats(now=clock.now()) == 1
        assert check_floats(now=clock.now()) == 0
        fund(UserFactory(), "500.00")
        assert check_floats(now=clock.now()) == 1
        fund(UserFactory(), "500.00")
        assert check_floats(now=clock.now()) == 0, "on a bound is within"
        fund(UserFactory(), "0.01")
        assert [check_floats(now=clock.now()) for _ in range(3)] == [1, 0, 0]
        assert crossings() == [
            ("within", "below", "0.00", "100.00"),
            ("below", "within", "500.00", "100.00"),
            ("within", "above", "1000.01", "1000.00"),
        ]

    def test_from_below_straight_to_above_both_bounds_are_told(self) -> None:
        watch("100.00", "1000.00")
        check_floats(now=clock.now())
        fund(UserFactory(), "1000.01")
        assert check_floats(now=clock.now()) == 1
        assert crossings()[1:] == [
            ("below", "within", "1000.01", "100.00"),
            ("within", "above", "1000.01", "1000.00"),
        ]
        assert check_floats(now=clock.now()) == 0

    def test_the_state_and_its_time_are_kept(self) -> None:
        monitor = watch("100.00")
        job()
        monitor.refresh_from_db()
        assert monitor.state == "below"
        assert monitor.changed_at is not None

    def test_one_that_is_switched_off_tells_nothing(self) -> None:
        watch("100.00", is_active=False)
        assert check_floats(now=clock.now()) == 0
        assert crossings() == []

    def test_new_bounds_are_looked_at_from_the_state_before(self) -> None:
        watch("100.00")
        check_floats(now=clock.now())
        watch("0.00")
        assert check_floats(now=clock.now()) == 1
        assert crossings()[-1][:2] == ("below", "within")

    def test_jobs_at_once_tell_it_once(self, committed_db: None) -> None:
        watch("100.00")

        def look() -> None:
            try:
                check_floats(now=clock.now())
            finally:
                connections.close_all()

        threads = [threading.Thread(target=look) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(crossings()) == 1


@pytest.mark.django_db
class TestSetting:
    def test_a_change_is_audited_with_what_was_before(self) -> None:
        watch("100.00")
        monitor = watch("50.00", "75.00")
        assert FloatMonitor.objects.count() == 1
        record = AuditRecord.objects.filter(action="float_monitor.set").latest("id")
        assert (record.target_id, record.reason) == (str(monitor.pk), REASON)
        assert record.changes["floor"] == ["100.0000", "50.00"]

    @pytest.mark.parametrize(
        ("code", "currency", "floor", "ceiling"),
        [
            (chart.CUSTOMER_WALLETS, "NGN", "1", None),
            (CLEARING, "NGN", None, None),
            (CLEARING, "NGN", "5", "5"),
            (CLEARING, "NGN", "0.001", None),
            (CLEARING, "JPY", None, "0.5"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, code: str, currency: str, floor: str | None, ceiling: str | None
    ) -> None:
        with pytest.raises(FloatMonitorRefused):
            set_monitor(
                account=account(code, currency), floor=None if floor is None else Decimal(floor),
                ceiling=None if ceiling is None else Decimal(ceiling), is_active=True, note="x", actor=StaffFactory(),
            )  # fmt: skip
        assert not FloatMonitor.objects.exists()
        assert not AuditRecord.objects.filter(action="float_monitor.set").exists()


@pytest.mark.django_db
class TestPage:
    def form(self, **changes: str) -> dict[str, str]:
        """Return what the page sends for a new monitor."""
        given = {
            "account": str(account().pk),
            "floor": "100",
            "ceiling": "",
            "is_active": "on",
            "note": REASON,
        }
        return given | changes

    def test_staff_with_the_permission_add_and_change_one(self) -> None:
        client = clerk(VIEW, ADD, CHANGE)
        client.post(address(FloatMonitor, "add"), self.form())
        monitor = FloatMonitor.objects.get()
        assert (monitor.floor, monitor.ceiling) == (Decimal(100), None)
        client.post(address(FloatMonitor, "change", monitor.pk), self.form(floor="200"))
        monitor.refresh_from_db()
        assert monitor.floor == Decimal(200)
        assert AuditRecord.objects.filter(action="float_monitor.set").count() == 2
        assert client.get(address(FloatMonitor, "changelist")).status_code == 200

    def test_others_do_not(self) -> None:
        assert clerk(VIEW).post(address(FloatMonitor, "add"), self.form()).status_code == 403
        assert not FloatMonitor.objects.exists()

    @pytest.mark.parametrize(
        "changes", [{"floor": ""}, {"ceiling": "100"}, {"floor": "0.001"}, {"account": "0"}, {"note": ""}]
    )
    def test_a_wrong_one_is_refused(self, changes: dict[str, str]) -> None:
        page = clerk(VIEW, ADD).post(address(FloatMonitor, "add"), self.form(**changes))
        assert page.status_code == 200
        assert not FloatMonitor.objects.exists()

    def test_only_floats_are_offered(self) -> None:
        wallets = LedgerAccount.objects.get(code=chart.CUSTOMER_WALLETS, currency="NGN")
        clerk(VIEW, ADD).post(address(FloatMonitor, "add"), self.form(account=str(wallets.pk)))
        assert not FloatMonitor.objects.exists()
