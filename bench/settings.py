"""The product's settings, with one route more that does nothing."""

from fintech_core import settings as product

globals().update({name: value for name, value in vars(product).items() if name.isupper()})
ROOT_URLCONF = "bench.urls"
