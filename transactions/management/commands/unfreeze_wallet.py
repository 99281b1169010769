"""``manage.py unfreeze_wallet``: unfreeze one wallet, with a reason, for a staff member."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from fintech_core.exceptions import DomainError
from users.selectors import get_user_by_email
from wallet.services import unfreeze_wallet

PERMISSION = "wallet.freeze_wallet"


class Command(BaseCommand):
    """Ends a freeze; credits that were parked meanwhile land by themselves."""

    help = "Unfreeze a wallet (audited)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which wallet, who asks for it, and why."""
        parser.add_argument("wallet", type=UUID, help="the wallet's id")
        parser.add_argument(
            "--actor", required=True, metavar="EMAIL", help="the staff member who answers for it"
        )
        parser.add_argument("--reason", required=True, help="why; stands in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        """Unfreeze the wallet; raises CommandError with the refusal."""
        try:
            actor = get_user_by_email(options["actor"])
            if not (actor.is_active and actor.is_staff and actor.has_perm(PERMISSION)):
                raise CommandError(f"{actor.email} may not unfreeze wallets.")
            wallet = unfreeze_wallet(wallet_id=options["wallet"], actor=actor, reason=options["reason"])
        except DomainError as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"Wallet {wallet.pk} is {wallet.status}.")
