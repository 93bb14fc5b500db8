"""All SQL and nothing but: ``batch`` is the transaction of a batch, ``reads`` the API's side."""
