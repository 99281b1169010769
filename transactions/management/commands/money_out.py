"""``manage.py money_out status|stop|resume``: the switch that stops outgoing money."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from fintech_core.exceptions import DomainError
from transactions import switches
from transactions.errors import MoneyOutPaused
from users.models import User
from users.selectors import get_user_by_email

PERMISSION = "transactions.switch_money_out"


class Command(BaseCommand):
    """Tells, stops or resumes. Holds that exist still settle, reads and money coming in go on."""

    help = "Show, stop or resume outgoing money (audited)."
    requires_system_checks = ()  # it must run when something else is broken

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what to do, who asks for it, and why."""
        parser.add_argument("action", choices=("status", "stop", "resume"))
        parser.add_argument("--actor", metavar="EMAIL", help="the staff member who answers for it")
        parser.add_argument("--reason", default="", help="why; stands in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; raises CommandError when actor or reason are missing or do not suffice."""
        if options["action"] != "status":
            actor, reason = self._answerable(options["actor"], options["reason"])
            change = switches.stop_money_out if options["action"] == "stop" else switches.resume_money_out
            change(actor=actor, reason=reason)
        switches.forget()
        try:
            switches.require_money_out()
        except MoneyOutPaused:
            self.stdout.write("Outgoing money is stopped.")
        else:
            self.stdout.write("Outgoing money flows.")

    @staticmethod
    def _answerable(email: str | None, reason: str) -> tuple[User, str]:
        """Return who answers for the change and why; raises CommandError."""
        if not (email and reason):
            raise CommandError("Give --actor and --reason: both stand in the audit log.")
        try:
            actor = get_user_by_email(email)
        except DomainError as refusal:
            raise CommandError(refusal.detail) from None
        if not (actor.is_active and actor.is_staff and actor.has_perm(PERMISSION)):
            raise CommandError(f"{actor.email} may not switch outgoing money.")
        return actor, reason
