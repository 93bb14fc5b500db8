"""From a record to what is written: decoded, then folded over the payment.

Pure; the stream and the rebuild share it.
"""
