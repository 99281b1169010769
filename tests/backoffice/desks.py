"""Staff at their desks: browsers that are signed in to the admin with exactly the permissions they were given."""

from typing import Any

from django.contrib.auth.models import Permission
from django.db import models
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from fintech_core.models import AuditRecord
from notifications.models import Event
from tests.factories import StaffFactory
from transactions.models import FeeRule, LedgerEntry, LimitRule, Transaction
from users.models import User
from wallet.models import Wallet

REASON = "Case 4711"


def clerk(*permissions: str, superuser: bool = False) -> Client:
    """Sign somebody in who has these permissions (``app.codename``) and no other."""
    staff: User = StaffFactory(is_superuser=superuser)
    for permission in permissions:
        app, codename = permission.split(".")
        staff.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(User.objects.get(pk=staff.pk))
    return client


def address(model: type[models.Model], page: str, *args: object) -> str:
    """Return the address of an admin page or dialog: ``changelist``, ``change``, ``freeze`` …"""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def press(client: Client, path: str, reason: str = REASON, **answers: str) -> HttpResponse:
    """Send a dialog's form, as Unfold's page does."""
    return client.post(path, {"_form_submitted": "on", "reason": reason, **answers})  # type: ignore[return-value]


def told(client: Client) -> str:
    """Return the front page, which shows the messages that wait."""
    return client.get("/admin/").content.decode()


def books() -> tuple[Any, ...]:
    """Return what the tables of money hold (without the wallets of staff), to compare before and after a refusal."""
    return (
        sorted(
            Wallet.objects.filter(owner__is_staff=False).values_list(
                "pk", "balance", "held", "status", "version"
            )
        ),
        sorted(Transaction.objects.values_list("pk", "status", "amount")),
        sorted(LedgerEntry.objects.values_list("pk", "amount")),
        sorted(LimitRule.objects.values_list("pk", "daily", "effective_from")),
        sorted(FeeRule.objects.values_list("pk", "flat", "effective_from")),
        AuditRecord.objects.count(),
        Event.objects.count(),
    )
