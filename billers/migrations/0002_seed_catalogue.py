"""The catalogue to begin with: who can be paid, what for, and how VTpass calls it. Prices are samples."""

from decimal import Decimal
from typing import Any

from django.db import migrations

METER, PHONE, CARD, ACCOUNT = "Meter number", "Phone number", "Smart card number", "Account number"

# (code, name); the code is VTpass's serviceID, too.
DISCOS = [
    ("ikeja-electric", "Ikeja Electric"),
    ("eko-electric", "Eko Electricity"),
    ("kano-electric", "Kano Electricity"),
    ("portharcourt-electric", "Port Harcourt Electricity"),
    ("jos-electric", "Jos Electricity"),
    ("ibadan-electric", "Ibadan Electricity"),
    ("kaduna-electric", "Kaduna Electric"),
    ("abuja-electric", "Abuja Electricity"),
    ("enugu-electric", "Enugu Electricity"),
    ("benin-electric", "Benin Electricity"),
    ("aba-electric", "Aba Power"),
    ("yola-electric", "Yola Electricity"),
]

# (code, name, serviceID)
AIRTIME = [
    ("mtn", "MTN", "mtn"),
    ("glo", "Glo", "glo"),
    ("airtel", "Airtel", "airtel"),
    ("9mobile", "9mobile", "etisalat"),
]

# (code, name, category, serviceID, label of the customer's number, [(variation_code, name, price)])
PLANS = [
    ("mtn-data", "MTN Data", "data", "mtn-data", PHONE, [
        ("mtn-10mb-100", "100 MB, 24 hours", 100),
        ("mtn-50mb-200", "200 MB, 2 days", 200),
        ("mtn-100mb-1000", "1.5 GB, 30 days", 1000),
        ("mtn-20hrs-1500", "3 GB, 30 days", 1500),
        ("mtn-3gb-2500", "6 GB, 7 days", 2500),
    ]),
    ("glo-data", "Glo Data", "data", "glo-data", PHONE, [
        ("glo100", "105 MB, 2 days", 100),
        ("glo500", "1.05 GB, 14 days", 500),
        ("glo1000", "2.5 GB, 30 days", 1000),
        ("glo2000", "5.8 GB, 30 days", 2000),
    ]),
    ("airtel-data", "Airtel Data", "data", "airtel-data", PHONE, [
        ("airt-100", "75 MB, 1 day", 100),
        ("airt-500", "750 MB, 14 days", 500),
        ("airt-1000", "1.5 GB, 30 days", 1000),
        ("airt-2000", "4.5 GB, 30 days", 2000),
    ]),
    ("9mobile-data", "9mobile Data", "data", "etisalat-data", PHONE, [
        ("eti-100", "100 MB, 1 day", 100),
        ("eti-500", "500 MB, 30 days", 500),
        ("eti-1000", "1.5 GB, 30 days", 1000),
    ]),
    ("dstv", "DStv", "tv", "dstv", CARD, [
        ("dstv-padi", "DStv Padi", 4400),
        ("dstv-yanga", "DStv Yanga", 6000),
        ("dstv-confam", "DStv Confam", 11000),
        ("dstv79", "DStv Compact", 19000),
        ("dstv3", "DStv Premium", 44500),
    ]),
    ("gotv", "GOtv", "tv", "gotv", CARD, [
        ("gotv-smallie", "GOtv Smallie", 1900),
        ("gotv-jinja", "GOtv Jinja", 3900),
        ("gotv-jolli", "GOtv Jolli", 5800),
        ("gotv-max", "GOtv Max", 8500),
    ]),
    ("startimes", "StarTimes", "tv", "startimes", CARD, [
        ("nova-weekly", "Nova, one week", 700),
        ("nova", "Nova, one month", 2100),
        ("basic", "Basic, one month", 4000),
        ("classic", "Classic, one month", 6000),
    ]),
    ("smile", "Smile", "internet", "smile-direct", ACCOUNT, [
        ("624", "1 GB FlexiDaily, 1 day", 400),
        ("625", "2.5 GB FlexiDaily, 2 days", 600),
        ("606", "1.5 GB Bigga, 30 days", 1000),
        ("607", "2 GB Bigga, 30 days", 1200),
    ]),
    ("spectranet", "Spectranet", "internet", "spectranet", ACCOUNT, [
        ("vt-1000", "Spectranet 1,000", 1000),
        ("vt-2000", "Spectranet 2,000", 2000),
        ("vt-5000", "Spectranet 5,000", 5000),
        ("vt-10000", "Spectranet 10,000", 10000),
    ]),
]  # fmt: skip


class Seed:
    """Writes billers, products and routes with the models as they are at this migration."""

    def __init__(self, apps: Any) -> None:
        self._biller = apps.get_model("billers", "Biller")
        self._product = apps.get_model("billers", "Product")
        self._route = apps.get_model("billers", "ProductRoute")

    def biller(self, code: str, name: str, category: str) -> Any:
        return self._biller.objects.create(code=code, name=name, category=category)

    def product(
        self, biller: Any, code: str, name: str, service_id: str, variation_code: str, **fields: Any
    ) -> None:
        product = self._product.objects.create(biller=biller, code=code, name=name, currency="NGN", **fields)
        self._route.objects.create(
            product=product, vendor="vtpass", service_id=service_id, variation_code=variation_code
        )


def add_catalogue(apps: Any, schema_editor: Any) -> None:
    """Write the catalogue."""
    seed = Seed(apps)
    for code, name in DISCOS:
        biller = seed.biller(code, name, "electricity")
        for kind in ("prepaid", "postpaid"):
            seed.product(
                biller, kind, kind.capitalize(), code, kind,
                amount_type="range", min_amount=Decimal(500), max_amount=Decimal(1_000_000),
                customer_id_label=METER, verifies_customer=True, delivers_token=kind == "prepaid",
            )  # fmt: skip
    for code, name, service_id in AIRTIME:
        seed.product(
            seed.biller(code, name, "airtime"), "airtime", f"{name} airtime", service_id, "",
            amount_type="range", min_amount=Decimal(50), max_amount=Decimal(200_000), customer_id_label=PHONE,
        )  # fmt: skip
    for code, name, category, service_id, label, plans in PLANS:
        biller = seed.biller(code, name, category)
        for variation_code, plan, price in plans:
            seed.product(
                biller, variation_code, plan, service_id, variation_code,
                amount_type="fixed", amount=Decimal(price), customer_id_label=label,
                verifies_customer=category == "tv",
            )  # fmt: skip


def remove_catalogue(apps: Any, schema_editor: Any) -> None:
    """Take the catalogue out again; what was paid meanwhile keeps its product, and the database refuses."""
    for model in ("ProductRoute", "Product", "Biller"):
        apps.get_model("billers", model).objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("billers", "0001_catalogue_and_payments")]

    operations = [migrations.RunPython(add_catalogue, remove_catalogue)]
