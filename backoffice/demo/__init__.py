"""The demonstration: seven steps over HTTP against a running system, each held to the figures it promises."""
