"""The admin's sidebar: every registered model has its place; each person sees what they may view.

Badges count open work by the same query as the queue behind the link.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from backoffice import queues


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the sidebar: a list, or a queue, which is a list with a filter and a count."""

    title: str
    icon: str
    model: str
    queue: queues.Queue | None = None


SECTIONS: Final[tuple[tuple[str, tuple[Item, ...]], ...]] = (
    (
        "Queues",
        (
            Item("Identity checks", "badge", "users.KycCase", queues.OPEN_KYC),
            Item("Bills to review", "rule", "billers.BillPayment", queues.BILLS_TO_REVIEW),
            Item("Corrections to decide", "balance", "transactions.Adjustment", queues.OPEN_ADJUSTMENTS),
            Item("Reversals to decide", "undo", "transactions.Undoing", queues.OPEN_UNDOINGS),
            Item("Parked credits", "local_parking", "transactions.ParkedCredit", queues.PARKED_CREDITS),
        ),
    ),
    (
        "Customers",
        (
            Item("Customers", "group", "users.User"),
            Item("Wallets", "account_balance_wallet", "wallet.Wallet"),
            Item("Identity cases", "assignment_ind", "users.KycCase"),
            Item("Identity documents", "id_card", "users.IdentityDocument"),
            Item("Sessions", "devices", "users.Session"),
            Item("Refresh tokens", "token", "users.RefreshToken"),
            Item("PINs", "password", "users.TransactionPin"),
        ),
    ),
    (
        "Money",
        (
            Item("Transactions", "swap_horiz", "transactions.Transaction"),
            Item("Bulk transfers", "group_add", "transactions.BulkTransfer"),
            Item("Bulk transfer items", "format_list_numbered", "transactions.BulkTransferItem"),
            Item("Ledger entries", "menu_book", "transactions.LedgerEntry"),
            Item("Chart of accounts", "account_tree", "transactions.LedgerAccount"),
            Item("Balance snapshots", "photo_camera", "transactions.BalanceSnapshot"),
            Item("Seals", "verified", "transactions.LedgerSeal"),
            Item("Corrections", "edit_note", "transactions.Adjustment"),
            Item("Requested reversals", "assignment_return", "transactions.Undoing"),
            Item("Conversion quotes", "currency_exchange", "transactions.ConversionQuote"),
            Item("Closed months", "event_busy", "transactions.ClosedMonth"),
            Item("Floats", "water_drop", "transactions.FloatMonitor"),
            Item("Verifications", "fact_check", "transactions.VerificationMark"),
            Item("All parked credits", "inventory_2", "transactions.ParkedCredit"),
            Item("Payment intents", "add_card", "payments.PaymentIntent"),
            Item("Payments in", "payments", "payments.Payment"),
            Item("Checkouts", "shopping_cart_checkout", "payments.CheckoutAttempt"),
            Item("Bill payments", "receipt_long", "billers.BillPayment"),
            Item("Bill attempts", "published_with_changes", "billers.BillAttempt"),
        ),
    ),
    (
        "Catalogue",
        (
            Item("Billers", "storefront", "billers.Biller"),
            Item("Products", "bolt", "billers.Product"),
            Item("Routes to vendors", "alt_route", "billers.ProductRoute"),
            Item("Quotes", "request_quote", "billers.Quote"),
            Item("Exchange rates", "trending_up", "transactions.ExchangeRate"),
            Item("Limits", "speed", "transactions.LimitRule"),
            Item("Fees", "percent", "transactions.FeeRule"),
        ),
    ),
    (
        "Growth",
        (
            Item("Campaigns", "campaign", "cashback.Campaign"),
            Item("Rewards", "redeem", "cashback.Reward"),
        ),
    ),
    (
        "Messages",
        (
            Item("Inbox messages", "inbox", "notifications.Message"),
            Item("Deliveries", "outgoing_mail", "notifications.Delivery"),
            Item("Events", "rss_feed", "notifications.Event"),
        ),
    ),
    (
        "System",
        (
            Item("Webhook events", "webhook", "payments.WebhookEvent"),
            Item("Requests for approval", "approval_delegation", "fintech_core.ApprovalRequest"),
            Item("Audit log", "policy", "fintech_core.AuditRecord"),
            Item("Job runs", "schedule", "fintech_core.JobRun"),
            Item("Idempotency keys", "key", "fintech_core.IdempotencyRecord"),
            Item("Switches", "toggle_on", "waffle.Switch"),
            Item("Flags", "flag", "waffle.Flag"),
            Item("Roles", "admin_panel_settings", "auth.Group"),
            Item("Schedule", "event_repeat", "django_celery_beat.PeriodicTask"),
            Item("Intervals", "timer", "django_celery_beat.IntervalSchedule"),
            Item("Crontabs", "calendar_clock", "django_celery_beat.CrontabSchedule"),
            Item("Clocked schedules", "alarm", "django_celery_beat.ClockedSchedule"),
            Item("Solar schedules", "wb_sunny", "django_celery_beat.SolarSchedule"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar for Unfold; each item asks its own admin whether this person may view it."""
    front = {"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}
    sections = [
        {
            "title": title,
            "separator": True,
            # The first section is work to do; of the others the one with the current page is open.
            "collapsible": title != "Queues",
            "items": [_item(request, item) for item in items],
        }
        for title, items in SECTIONS
    ]
    return [{"items": [front]}, *sections]


def stylesheet(_request: HttpRequest) -> str:
    """Return the address of the few styles that Unfold's own sheet has not."""
    return static("backoffice/admin.css")


def icon(_request: HttpRequest) -> str:
    """Return the address of the picture on the browser's tab."""
    return static("backoffice/favicon.svg")


def _item(request: HttpRequest, item: Item) -> dict[str, Any]:
    model = apps.get_model(item.model)
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    line: dict[str, Any] = {
        "title": item.title,
        "icon": item.icon,
        "link": address,
        "permission": partial(may_view, model),
        "active": _is_active(request, address, item),
    }
    if item.queue is not None:
        line["link"] = f"{address}?{item.queue.query}"
        waiting = item.queue.count() if may_view(model, request) else 0
        if waiting:
            line |= {"badge": f"{waiting:,}", "badge_variant": "warning"}
    return line


def may_view(model: type[Model], request: HttpRequest) -> bool:
    """Say whether this person may open the list of a model."""
    return bool(admin.site._registry[model].has_view_permission(request))


def _is_active(request: HttpRequest, address: str, item: Item) -> Callable[[HttpRequest], bool]:
    """Tell a queue from the list that it is a part of, by the filter in the address."""
    on_list = request.path.startswith(address)
    in_queue = item.queue is not None and request.GET.urlencode() == item.queue.query
    siblings = [
        other.queue for _, items in SECTIONS for other in items if other.model == item.model and other.queue
    ]
    elsewhere = item.queue is None and any(request.GET.urlencode() == queue.query for queue in siblings)
    return lambda _request: on_list and not elsewhere and (item.queue is None or in_queue)
