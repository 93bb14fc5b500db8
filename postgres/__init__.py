"""All of the service's SQL. ``batch`` is the stream's transaction, ``reads`` is the API's side."""
