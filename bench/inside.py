"""Runs one function of this package inside Django, and prints what it returns as JSON on the last line."""

import importlib
import json
import sys


def main(named: str) -> None:
    """Run ``module:function``."""
    import django

    django.setup()
    module, _, function = named.partition(":")
    result = getattr(importlib.import_module(f"bench.{module}"), function)()
    sys.stdout.write(f"\n{json.dumps(result)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
