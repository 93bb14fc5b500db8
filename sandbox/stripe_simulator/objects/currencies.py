"""The currencies that a card can be charged in, and the rules of their amounts.

Amounts are as Stripe's API has them: in a currency's minor unit, but with the decimals that Stripe
publishes. Source: https://docs.stripe.com/currencies
"""

AMOUNT_MAX = 10**12 - 1
"""Twelve digits for most cards."""

MINIMUM_AMOUNTS: dict[str, int] = {
    "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50,
    "jpy": 50, "krw": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200,
    "ron": 200, "rub": 50, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50, "zar": 50,
}  # fmt: skip

WITHOUT_A_MINIMUM: frozenset[str] = frozenset(
    """
    afn all amd ang aoa awg azn bam bbd bdt bgn bhd bif bmd bnd bob bsd bwp byn bzd cdf clp
    cny crc cve djf dop dzd egp etb fjd fkp gel gip gmd gnf gtq gyd hnl htg
    isk jmd jod kes kgs khr kmf kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk
    mnt mop mur mvr mwk mzn nad ngn nio npr omr pab pen pgk pkr pyg qar rsd rwf
    sar sbd scr shp sle sll sos srd std szl tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd
    vuv wst xaf xcd xcg xof xpf yer zmw
    """.split()  # noqa: SIM905 - a list of them would be ten times as long
)

TWO_DECIMALS_ALWAYS: frozenset[str] = frozenset({"isk", "ugx"})
"""They lost their decimals; amounts still have two, which are always 00."""

NO_DECIMALS: frozenset[str] = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()  # noqa: SIM905
)

THREE_DECIMALS: frozenset[str] = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
"""The last of the three is always 0."""


def is_supported(currency: str) -> bool:
    """Whether a lower-case three-letter code is a supported currency."""
    return currency in MINIMUM_AMOUNTS or currency in WITHOUT_A_MINIMUM


def minimum_amount(currency: str) -> int:
    """The minimum amount of a charge, in Stripe's units."""
    return MINIMUM_AMOUNTS.get(currency, 1)


def step(currency: str) -> int:
    """What every amount in this currency is a multiple of, in Stripe's units."""
    if currency in TWO_DECIMALS_ALWAYS:
        return 100
    return 10 if currency in THREE_DECIMALS else 1


def decimals(currency: str) -> int:
    """How many decimals an amount in Stripe's units has."""
    if currency in NO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else 2
