"""Records of a second account, and a stream whose file of accounts may lack it."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from decisions.decode import Decoder
from decisions.fold import fold
from ports.provider import Account, Translator
from ports.records import ConsumedRecord, DecodedInput
from postgres.stores import Pool, PostgresBatches
from providers.stripe.webhooks import StripeTranslator
from schemas import headers
from tests import accounts
from tests.support import database
from tests.support.builders import NOW

SECOND: Final = "second"
#: Connected to the second account.
SHOP: Final = "shop"
#: The translators of a program whose file lacks the second account, and of one whose file has it.
LACKING: Final[Mapping[str, Translator]] = {"stripe": StripeTranslator(accounts.STRIPE)}
KNOWING: Final[Mapping[str, Translator]] = {
    **LACKING,
    SECOND: StripeTranslator(Account("acct_2", is_live=False), SECOND),
    SHOP: StripeTranslator(Account("acct_3", is_live=False), SHOP),
}


def at_second(record: ConsumedRecord) -> ConsumedRecord:
    """Returns the webhook as the second account's endpoint takes it in."""
    return of_account(SECOND, record)


def of_account(name: str, record: ConsumedRecord) -> ConsumedRecord:
    """Returns the webhook as it is recorded for an account of the file."""
    event_id = f"{name}:{record.headers[headers.EVENT_ID]}"
    named = {headers.PROVIDER: name, headers.EVENT_ID: event_id}
    return replace(record, headers={**record.headers, **named})


async def process(
    pool: Pool, translators: Mapping[str, Translator], *records: ConsumedRecord
) -> None:
    """Processes one batch up to its commit, with these accounts."""
    decoder = Decoder(translators)
    decoded = [decoder.decode(record) for record in records]
    received = [each for each in decoded if isinstance(each, DecodedInput)]
    assert len(received) == len(decoded), decoded
    async with PostgresBatches(pool, decoder.decode).transaction() as transaction:
        await transaction.write(fold(await transaction.load(received), received), NOW)


async def inputs(pool: Pool) -> list[tuple[Any, ...]]:
    """Kind and outcome of each input, in the order of their decisions."""
    return await database.rows(pool, "select kind, outcome from inbox order by decided")


async def status(pool: Pool, payment_id: str) -> Any:
    """The payment's status."""
    statement = "select status from payments where payment_id = %s"
    ((found,),) = await database.rows(pool, statement, payment_id)
    return found


async def quarantined(pool: Pool) -> list[Any]:
    """The quarantined payments."""
    return [row[0] for row in await database.rows(pool, "select payment_id from quarantines")]
