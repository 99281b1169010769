"""Which tests share a process under xdist: a file's, and those which share a running system: abuse, flows, browser.

Marks cannot say it: what xdist 3.8 does for ``--dist loadgroup`` has no effect under pytest 9.2.
"""

from typing import Any

import pytest

TOGETHER = ("tests/flows/abuse/", "tests/flows/", "tests/browser/")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Make the scheduler; called by xdist alone."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
            return folder or nodeid.partition("::")[0]

    return ByFile(config, log)
