"""Ask the web server of this container whether it can serve; exit 0 when it can.

Sent as the proxy in front sends it: under an allowed host and as HTTPS.
"""

import os
import sys
import urllib.request

HOST = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0]
REQUEST = urllib.request.Request(
    "http://127.0.0.1:8000/readyz", headers={"Host": HOST, "X-Forwarded-Proto": "https"}
)

with urllib.request.urlopen(REQUEST, timeout=5) as answer:  # noqa: S310  a fixed address
    sys.exit(answer.status != 200)
