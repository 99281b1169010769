"""The application as a web server loads it."""

import subprocess
import sys

_LOAD = """
import gc, sys
from fintech_core.wsgi import application
held = gc.get_freeze_count()
views = "transactions.views.transfers" in sys.modules
print(held > 100_000, gc.get_count()[2], views)
"""


class TestLoading:
    def test_the_program_is_whole_and_out_of_the_way_of_the_garbage_collector(self) -> None:
        ended = subprocess.run(
            [sys.executable, "-c", _LOAD], capture_output=True, text=True, timeout=60, check=True
        )
        assert ended.stdout.split() == ["True", "0", "True"]
