"""Which tests share a process under xdist: the flows, which share a running system, and otherwise a file's.

Marks cannot say it: what xdist 3.8 does for ``--dist loadgroup`` has no effect under pytest 9.2.
"""

from typing import Any

import pytest

FLOWS = "tests/flows/"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Make the scheduler; called by xdist alone."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return FLOWS if nodeid.startswith(FLOWS) else nodeid.partition("::")[0]

    return ByFile(config, log)
