"""``manage.py reset_pin``: remove a customer's transaction PIN, with a reason, for a staff member."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from fintech_core.exceptions import DomainError
from users import selectors
from users.services import pins


class Command(BaseCommand):
    """Removes a locked or forgotten PIN; the customer is told and sets the next one with their password."""

    help = "Remove a customer's transaction PIN (audited)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare whose PIN, who asks for it, and why."""
        parser.add_argument("email", help="the customer's e-mail address")
        parser.add_argument(
            "--actor", required=True, metavar="EMAIL", help="the staff member who answers for it"
        )
        parser.add_argument("--reason", required=True, help="why; stands in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reset the PIN; raises CommandError with the refusal."""
        try:
            user = selectors.get_user_by_email(options["email"])
            actor = selectors.get_user_by_email(options["actor"])
            if not (actor.is_active and actor.is_staff and actor.has_perm("users.reset_pin")):
                raise CommandError(f"{actor.email} may not reset PINs.")
            pins.reset(user_id=user.pk, actor=actor, reason=options["reason"])
        except DomainError as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"The PIN of {user.email} is reset.")
