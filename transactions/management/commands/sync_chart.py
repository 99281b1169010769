"""``manage.py sync_chart``: open the accounts of the chart that a new release or a new currency brings."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from transactions import chart
from transactions.models import LedgerAccount


class Command(BaseCommand):
    """Opens what is missing. An account that is there never changes: the database refuses it."""

    help = "Open missing accounts of the chart in every enabled currency."

    def handle(self, *args: Any, **options: Any) -> None:
        """Open missing accounts; raises CommandError when one that is there differs from the chart."""
        opened, differing = 0, []
        for account, currency in chart.rows(tuple(settings.CURRENCIES)):
            wanted = {"type": str(account.type), "wallet_kind": account.wallet_kind}
            row, created = LedgerAccount.objects.get_or_create(
                code=account.code, currency=currency, defaults={"name": account.name, **wanted}
            )
            opened += created
            if any(getattr(row, name) != value for name, value in wanted.items()):
                differing.append(str(row))
            if created:
                self.stdout.write(f"opened {row}")
        if differing:
            raise CommandError(f"Not as the chart has them: {', '.join(differing)}. Run verify_ledger.")
        self.stdout.write(f"{opened} accounts opened, the chart is complete.")
