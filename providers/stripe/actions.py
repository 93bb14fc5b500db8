"""What a customer has to do, by Stripe's ``next_action``.

Source: https://docs.stripe.com/api/payment_intents/object#payment_intent_object-next_action
"""

from collections.abc import Mapping
from typing import Any, Final

#: The types with a page that Stripe or the bank hosts, and the field with its URL. All others, such
#: as ``use_stripe_sdk`` and ``blik_authorize``, only Stripe's own SDK can carry out.
HOSTED: Final[Mapping[str, str]] = {
    "redirect_to_url": "url",
    "alipay_handle_redirect": "url",
    "boleto_display_details": "hosted_voucher_url",
    "konbini_display_details": "hosted_voucher_url",
    "multibanco_display_details": "hosted_voucher_url",
    "oxxo_display_details": "hosted_voucher_url",
    "cashapp_handle_redirect_or_display_qr_code": "hosted_instructions_url",
    "display_bank_transfer_instructions": "hosted_instructions_url",
    "paynow_display_qr_code": "hosted_instructions_url",
    "pix_display_qr_code": "hosted_instructions_url",
    "promptpay_display_qr_code": "hosted_instructions_url",
    "swish_handle_redirect_or_display_qr_code": "hosted_instructions_url",
    "upi_handle_redirect_or_display_qr_code": "hosted_instructions_url",
    "wechat_pay_display_qr_code": "hosted_instructions_url",
    "verify_with_microdeposits": "hosted_verification_url",
}
_WEB: Final = ("https://", "http://")


def in_newest_form(
    action: Mapping[str, Any] | None, old: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Returns the action; ``old`` is its form before 2019-02-11, where the redirect was renamed.

    Source: https://docs.stripe.com/changelog/2019-02-11/renames-authorize-with-url-redirect-to-url
    """
    if action is not None or old is None or old.get("type") != "authorize_with_url":
        return action or old
    return {"type": "redirect_to_url", "redirect_to_url": old.get("authorize_with_url")}


def hosted_page(action: Mapping[str, Any] | None) -> str | None:
    """Returns the URL of the page that the customer has to visit, or None without such a page."""
    kind = (action or {}).get("type")
    details = (action or {}).get(kind) if isinstance(kind, str) else None
    if not isinstance(kind, str) or not isinstance(details, dict) or kind not in HOSTED:
        return None
    url = details.get(HOSTED[kind])
    return url if isinstance(url, str) and url.startswith(_WEB) else None
