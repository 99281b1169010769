"""``manage.py demo``: the story over HTTP, against the system that ``make run`` has started."""

import json
import logging
import os
import shutil
import sys
from argparse import ArgumentParser
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand

from backoffice.demo import story
from backoffice.demo.api import Api, PromiseBroken
from backoffice.demo.screen import Screen

DEFAULT_PORT: Final = "8000"
WIDTH_OF_A_FILE: Final = 160


class Command(BaseCommand):
    """Tell the story; exits 1 with a sentence when a promise is not kept."""

    help = "Walk through the product over HTTP: sign up, fund, send, pay a bill, a time-out, the proof of the books."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say where the system runs, when it is not the one of this checkout."""
        parser.add_argument("--base-url", help="address of the web server (default: the running make run)")

    def handle(self, *args: Any, base_url: str | None, **options: Any) -> None:
        """Tell it on standard output, in colours on a terminal."""
        logging.getLogger("fintech_core.http").setLevel(logging.WARNING)
        on_terminal = self.stdout.isatty()
        width = shutil.get_terminal_size().columns if on_terminal else WIDTH_OF_A_FILE
        colours = on_terminal and "NO_COLOR" not in os.environ and not options["no_color"]
        screen = Screen(self.stdout, colours=colours, width=width)
        try:
            story.tell(Api(base_url or running_address(), screen))
        except PromiseBroken as broken:
            screen.broken(str(broken))
            sys.exit(1)


def running_address() -> str:
    """Return where ``make run`` of this LOCAL_DIR serves, or where it would by default."""
    note = settings.LOCAL_DIR / "run.json"
    if note.exists():
        return str(json.loads(note.read_text())["web"])
    return f"http://127.0.0.1:{os.environ.get('PORT', DEFAULT_PORT)}"
