"""The alternatives that the service is compared with, each tuned as far as its kind allows."""
