"""Whether what was seen at a provider is news about a payment."""

from datetime import datetime

from decisions.fact_texts import with_storable_texts
from decisions.news import is_news
from domain.inputs import Input
from domain.payment import Payment
from ports.failures import must_propagate
from ports.provider import FetchedEvent, Translator
from runtime.tasks import ANY_ERROR


def says_news(
    translator: Translator | None, payment: Payment | None, found: FetchedEvent, now: datetime
) -> bool:
    """Returns whether to publish what was seen. What can't be decoded is news for the stream.

    Args:
        translator: the provider's.
        payment: as it is stored; None if what is stored can't be decoded.
        found: what was seen.
        now: the current time.
    """
    if payment is None or translator is None:
        return True
    try:
        fact = with_storable_texts(translator.translate(found.body).fact)
        return is_news(payment, Input(found.webhook.event_id, now, fact))
    except ANY_ERROR as error:
        if must_propagate(error):
            raise
        return True  # the stream says what is wrong with it, and keeps it
