"""What staff see of cashback, and how they write, start, pause and end a campaign."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from cashback import services
from cashback.errors import CampaignRefused, CampaignStateConflict
from cashback.models import Campaign, Reward
from fintech_core import clock
from fintech_core.exceptions import NotFound
from fintech_core.ids import uuid7
from fintech_core.models import AuditRecord
from tests.backoffice.desks import REASON, address, clerk, press, told
from tests.cashback.offers import BEGAN, books, draft, earn, pay, payer, running, terms
from tests.factories import StaffFactory, UserFactory
from tests.users.parallel import in_parallel
from users.models import User

pytestmark = pytest.mark.django_db
VIEW, ADD, CHANGE, OPERATE = (
    f"cashback.{codename}"
    for codename in ("view_campaign", "add_campaign", "change_campaign", "operate_campaign")
)


def form(**changes: Any) -> dict[str, Any]:
    """Return what the page sends for a new campaign."""
    return {
        "code": "data-5",
        "name": "5 % back on data",
        "currency": "NGN",
        "percent_bp": "500",
        "cap": "25.50",
        "min_payment": "0",
        "budget": "1000",
        "starts_at_0": "2026-05-01",
        "starts_at_1": "00:00:00",
        "ends_at_0": "",
        "ends_at_1": "",
        "category": "data",
        "biller": "",
        "product": "",
        "terms": "",
        "reason": REASON,
        **changes,
    }


def shown(page: Any) -> str:
    return str(page.content.decode())


def audited() -> AuditRecord:
    return AuditRecord.objects.latest("id")


class TestPages:
    def test_the_list_shows_what_a_campaign_has_spent(self) -> None:
        campaign = running()
        pay(payer(), "100.00")
        page = shown(clerk(VIEW).get(address(Campaign, "changelist")))
        for text in (campaign.name, "10.00 %", "NGN 50.00", "NGN 10.00", "NGN 1,000.00"):
            assert text in page

    def test_a_campaign_opens_and_shows_its_terms(self) -> None:
        campaign = running()
        page = clerk(VIEW).get(address(Campaign, "change", campaign.pk))
        assert page.status_code == 200
        assert campaign.code in shown(page)

    def test_a_reward_is_found_by_its_payment_and_its_owner(self) -> None:
        user = UserFactory(kyc_tier=3)
        reward = earn(user, "12.34")
        client = clerk("cashback.view_reward")
        for term, found in (
            (str(reward.trigger_id), True),
            (user.email, True),
            ("nobody@example.com", False),
            ("x'; --", False),
        ):
            page = client.get(address(Reward, "changelist"), {"q": term})
            assert (page.status_code, "NGN 12.34" in shown(page)) == (200, found)
        assert client.get(address(Reward, "change", reward.pk)).status_code == 200

    def test_5_01_without_a_permission_nothing_opens(self) -> None:
        campaign, client = running(), clerk()
        for page in ("changelist", "add"):
            assert client.get(address(Campaign, page)).status_code == 403
        assert client.get(address(Campaign, "change", campaign.pk)).status_code == 403
        assert client.get(address(Reward, "changelist")).status_code == 403

    def test_5_02_a_reward_is_only_looked_at(self) -> None:
        reward = earn(UserFactory(kyc_tier=3), "5.00")
        client, before = clerk(superuser=True), books()
        assert client.post(address(Reward, "change", reward.pk), {"amount": "9"}).status_code == 403
        assert client.post(address(Reward, "delete", reward.pk), {"post": "yes"}).status_code == 403
        assert client.post(address(Reward, "add"), {"amount": "9"}).status_code == 403
        assert books() == before


class TestWriting:
    def test_a_draft_is_written_with_a_reason_and_gives_nothing(self) -> None:
        answer = clerk(VIEW, ADD).post(address(Campaign, "add"), form())
        assert answer.status_code == 302, shown(answer)
        campaign = Campaign.objects.get(code="data-5")
        assert (campaign.status, campaign.percent_bp, campaign.cap, campaign.budget, campaign.spent) == (
            "draft",
            500,
            Decimal("25.50"),
            Decimal(1000),
            0,
        )
        assert campaign.starts_at == BEGAN.replace(month=5) - timedelta(hours=1)
        record = audited()
        assert (record.action, record.reason, record.target_id) == (
            "campaign.created",
            REASON,
            str(campaign.pk),
        )
        assert record.changes["cap"] == [None, "25.5"]
        assert record.changes["budget"] == [None, "1000"]
        assert record.changes["starts_at"] == [None, "2026-04-30T23:00:00+00:00"]
        product = {"category": "data", "biller": "mtn-data", "product": "x"}
        preview = services.preview(amount=Decimal(100), currency="NGN", now=clock.now(), **product)
        assert preview == 0

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"percent_bp": "0"}, "between 1 and 10000"),
            ({"percent_bp": "10001"}, "between 1 and 10000"),
            ({"percent_bp": "-1"}, "greater than or equal to 0"),
            ({"cap": "0"}, "more than zero"),
            ({"cap": "-1"}, "more than zero"),
            ({"cap": "0.001"}, "NGN has 2 decimals"),
            ({"budget": "0"}, "more than zero"),
            ({"budget": "1" + "0" * 30}, "digits"),
            ({"min_payment": "-0.01"}, "more than zero"),
            ({"currency": "JPY", "cap": "1.5"}, "JPY has 0 decimals"),
            ({"currency": "XXX"}, "XXX is not one of the available choices"),
            ({"ends_at_0": "2026-05-01", "ends_at_1": "00:00:00"}, "ends after it starts"),
            ({"code": "two words"}, "valid"),
            ({"code": "electricity-1-percent"}, "already exists"),
            ({"name": "   "}, "This field is required"),
            ({"reason": ""}, "This field is required"),
            ({"starts_at_0": "2026-02-30"}, "Enter a valid date"),
        ],
    )
    def test_terms_that_cannot_be_offered_are_refused_at_their_field(
        self, changes: dict[str, str], fault: str
    ) -> None:
        client, before = clerk(VIEW, ADD), books()
        page = client.post(address(Campaign, "add"), form(**changes))
        assert page.status_code == 200
        assert fault in shown(page)
        assert books() == before

    def test_the_page_proposes_to_begin_with_the_next_day(self) -> None:
        page = shown(clerk(VIEW, ADD).get(address(Campaign, "add")))
        begins = clock.next_day(clock.now()).astimezone(clock.business_zone())
        assert f'value="{begins:%Y-%m-%d}"' in page
        assert 'name="spent"' not in page

    def test_looking_is_no_right_to_write(self) -> None:
        before = books()
        assert clerk(VIEW, CHANGE, OPERATE).post(address(Campaign, "add"), form()).status_code == 403
        assert books() == before

    def test_a_status_and_a_counter_cannot_be_sent_along(self) -> None:
        clerk(VIEW, ADD).post(address(Campaign, "add"), form(status="running", spent="-500"))
        campaign = Campaign.objects.get(code="data-5")
        assert (campaign.status, campaign.spent) == ("draft", 0)


class TestEditing:
    @staticmethod
    def save(client: Client, campaign: Campaign, **changes: Any) -> HttpResponse:
        return client.post(address(Campaign, "change", campaign.pk), form(**changes))  # type: ignore[return-value]

    def test_a_draft_is_edited_with_a_reason_and_the_audit_row_says_what_changed(self) -> None:
        clerk(VIEW, ADD).post(address(Campaign, "add"), form())
        campaign = Campaign.objects.get(code="data-5")
        assert self.save(clerk(VIEW, CHANGE), campaign, cap="30", name="Better").status_code == 302
        campaign.refresh_from_db()
        assert (campaign.cap, campaign.name, campaign.budget) == (30, "Better", 1000)
        record = audited()
        assert (record.action, record.reason) == ("campaign.edited", REASON)
        assert record.changes == {"cap": ["25.5", "30"], "name": ["5 % back on data", "Better"]}

    def test_saving_what_stands_there_writes_nothing(self) -> None:
        clerk(VIEW, ADD).post(address(Campaign, "add"), form())
        campaign, before = Campaign.objects.get(code="data-5"), AuditRecord.objects.count()
        assert self.save(clerk(VIEW, CHANGE), campaign).status_code == 302
        assert AuditRecord.objects.count() == before

    def test_a_wrong_edit_is_refused_at_its_field(self) -> None:
        campaign = draft()
        before = books()
        page = self.save(clerk(VIEW, CHANGE), campaign, budget="-5")
        assert "more than zero" in shown(page)
        assert books() == before

    @pytest.mark.parametrize("superuser", [True, False])
    @pytest.mark.parametrize("status", ["running", "paused", "ended"])
    def test_5_02_what_has_run_is_edited_by_nobody(self, status: str, superuser: bool) -> None:
        campaign, staff = running(), StaffFactory()
        if status == "paused":
            services.pause_campaign(campaign_id=campaign.pk, actor=staff, reason="x")
        elif status == "ended":
            services.end_campaign(campaign_id=campaign.pk, actor=staff, reason="x")
        client = clerk(VIEW, ADD, CHANGE, OPERATE, superuser=superuser)
        before = books()
        page = shown(client.get(address(Campaign, "change", campaign.pk)))
        assert 'name="budget"' not in page
        assert self.save(client, campaign, budget="999999").status_code == 403
        assert books() == before

    @pytest.mark.parametrize("superuser", [True, False])
    def test_5_02_none_is_deleted(self, superuser: bool) -> None:
        campaign = draft()
        client = clerk(VIEW, CHANGE, "cashback.delete_campaign", superuser=superuser)
        before = books()
        assert client.post(address(Campaign, "delete", campaign.pk), {"post": "yes"}).status_code == 403
        assert books() == before

    @pytest.mark.parametrize("permissions", [(VIEW,), (VIEW, ADD), (VIEW, OPERATE)])
    def test_5_01_only_who_may_change_it_changes_it(self, permissions: tuple[str, ...]) -> None:
        campaign = draft()
        client, before = clerk(*permissions), books()
        assert 'name="budget"' not in shown(client.get(address(Campaign, "change", campaign.pk)))
        assert self.save(client, campaign, budget="999999").status_code == 403
        assert books() == before


class TestOperating:
    @pytest.mark.parametrize(
        ("first", "dialog", "before", "after"),
        [
            (draft, "start", "draft", "running"),
            (draft, "end", "draft", "ended"),
            (running, "pause", "running", "paused"),
            (running, "end", "running", "ended"),
        ],
    )
    def test_a_dialog_moves_it_with_a_reason(self, first: Any, dialog: str, before: str, after: str) -> None:
        campaign = first()
        assert press(clerk(VIEW, OPERATE), address(Campaign, dialog, campaign.pk)).status_code == 200
        campaign.refresh_from_db()
        assert campaign.status == after
        record = audited()
        assert (record.action, record.reason, record.changes) == (
            f"campaign.{after}",
            REASON,
            {"status": [before, after]},
        )
        assert record.actor_label.startswith("staff:")

    def test_a_paused_one_starts_again_with_what_it_has_spent(self) -> None:
        campaign, user, client = running(), payer(), clerk(VIEW, OPERATE)
        pay(user, "100.00")
        press(client, address(Campaign, "pause", campaign.pk))
        assert pay(user, "100.00") is None
        press(client, address(Campaign, "start", campaign.pk))
        assert pay(user, "100.00") is not None
        campaign.refresh_from_db()
        assert campaign.spent == 20

    def test_only_what_the_status_allows_is_offered(self) -> None:
        campaign, client = draft(), clerk(VIEW, OPERATE)

        def offered() -> set[str]:
            page = shown(client.get(address(Campaign, "change", campaign.pk)))
            return {name for name in ("start", "pause", "end") if f"/{name}/" in page}

        assert offered() == {"start", "end"}
        press(client, address(Campaign, "start", campaign.pk))
        assert offered() == {"pause", "end"}
        press(client, address(Campaign, "pause", campaign.pk))
        assert offered() == {"start", "end"}
        press(client, address(Campaign, "end", campaign.pk))
        assert offered() == set()

    @pytest.mark.parametrize("dialog", ["start", "pause", "end"])
    def test_opening_a_dialog_changes_nothing(self, dialog: str) -> None:
        campaign, client = draft(), clerk(VIEW, OPERATE)
        before = books()
        path = address(Campaign, dialog, campaign.pk)
        assert client.get(f"{path}?_form_submitted=on&reason=x").status_code == 200
        assert books() == before

    @pytest.mark.parametrize("dialog", ["start", "pause", "end"])
    def test_5_01_writing_is_no_right_to_operate(self, dialog: str) -> None:
        campaign = draft()
        client, before = clerk(VIEW, ADD, CHANGE), books()
        assert press(client, address(Campaign, dialog, campaign.pk)).status_code == 403
        assert books() == before

    def test_without_a_reason_nothing_happens(self) -> None:
        campaign = draft()
        client, before = clerk(VIEW, OPERATE), books()
        press(client, address(Campaign, "start", campaign.pk), reason="   ")
        assert books() == before

    def test_a_refusal_is_told(self) -> None:
        campaign = draft()
        client, before = clerk(VIEW, OPERATE), books()
        press(client, address(Campaign, "pause", campaign.pk))
        assert "A campaign that is draft cannot become paused." in told(client)
        assert books() == before

    @pytest.mark.parametrize("row", ["nonsense", "00000000-0000-0000-0000-000000000000"])
    def test_an_address_that_names_no_campaign_changes_nothing(self, row: str) -> None:
        client, before = clerk(VIEW, OPERATE), books()
        answer = press(client, f"/admin/cashback/campaign/{row}/start/")
        assert answer.status_code in {200, 302, 404}
        assert books() == before


@pytest.mark.usefixtures("committed_db")
class TestRaces:
    @pytest.mark.parametrize("_", range(3))
    def test_a_form_that_is_saved_while_the_campaign_starts_changes_it_before_or_not_at_all(
        self, _: int
    ) -> None:
        campaign, client, operator = draft(), clerk(VIEW, CHANGE), clerk(VIEW, OPERATE)
        path = address(Campaign, "change", campaign.pk)

        def work(number: int) -> str:
            if number:
                return str(press(operator, address(Campaign, "start", campaign.pk)).status_code)
            return str(client.post(path, form(budget="7777")).status_code)

        saved, started = in_parallel(2, work)
        campaign.refresh_from_db()
        assert (started, campaign.status) == ("200", "running")
        assert (saved, campaign.budget) in {("302", 7777), ("403", 1000)}
        assert AuditRecord.objects.filter(action="campaign.edited").count() == (saved == "302")


class TestServices:
    """The services ask again what the pages ask."""

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"code": ""}, "A campaign has a code."),
            ({"name": " "}, "A campaign has a name."),
            ({"currency": "XXX"}, "Choose an enabled currency."),
            ({"cap": Decimal("0.001")}, "NGN has 2 decimals."),
            ({"percent_bp": 0, "ends_at": BEGAN},
             "The percentage is between 1 and 10000 basis points. A campaign ends after it starts."),
            ({"code": "electricity-1-percent"}, "There is a campaign with this code already."),
        ],
    )  # fmt: skip
    def test_terms_that_cannot_be_offered(self, changes: dict[str, Any], sentence: str) -> None:
        staff: User = StaffFactory()
        campaign = draft(code="mine")
        before = books()
        for work in (
            lambda: services.create_campaign(terms=terms(**changes), actor=staff, reason="x"),
            lambda: services.edit_campaign(
                campaign_id=campaign.pk, terms=terms(**changes), actor=staff, reason="x"
            ),
        ):
            with pytest.raises(CampaignRefused) as refusal:
                work()
            assert refusal.value.detail == sentence
        assert books() == before

    def test_a_draft_keeps_its_own_code(self) -> None:
        campaign = draft()
        edited = services.edit_campaign(
            campaign_id=campaign.pk, terms=terms(name="Other"), actor=StaffFactory(), reason="x"
        )
        assert (edited.code, edited.name) == (campaign.code, "Other")

    def test_what_has_run_keeps_its_terms(self) -> None:
        campaign = running()
        before = books()
        with pytest.raises(CampaignStateConflict, match="keeps its terms"):
            services.edit_campaign(
                campaign_id=campaign.pk, terms=terms(budget=Decimal(5)), actor=StaffFactory(), reason="x"
            )
        assert books() == before

    def test_one_that_is_not_there_is_not_found(self) -> None:
        staff: User = StaffFactory()
        for work in (services.start_campaign, services.pause_campaign, services.end_campaign):
            with pytest.raises(NotFound):
                work(campaign_id=uuid7(), actor=staff, reason="x")
        with pytest.raises(NotFound):
            services.edit_campaign(campaign_id=uuid7(), terms=terms(), actor=staff, reason="x")
