"""Which tests share a process under xdist: a file's, and those which share a running system: abuse, flows, browser.

Marks cannot say it: what xdist 3.8 does for ``--dist loadgroup`` has no effect under pytest 9.2. What takes longest
begins first, so that the processes end together.
"""

from typing import Any

import pytest

TOGETHER = ("tests/flows/abuse/", "tests/flows/", "tests/browser/")
LONGEST_FIRST = (
    "tests/flows/test_",
    "tests/flows/abuse/",
    "tests/fintech_core/test_embedded.py",
    "tests/fintech_core/test_run.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest scopes in front; the rest stays as it was collected."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    ranks = (rank for rank, beginning in enumerate(LONGEST_FIRST) if nodeid.startswith(beginning))
    return next(ranks, len(LONGEST_FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Make the scheduler; called by xdist alone."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
            return folder or nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # it would go by the number of tests, and the longest have few
    return ByFile(config, log)
