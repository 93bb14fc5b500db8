"""Bugs of the ingress, of the worker's loops, and of their statements."""

from typing import Final

from tests.mutants.planted import Bug

_LOOPS: Final = "tests/processor/worker/test_loops.py::test_{}"
_COMMANDS: Final = "tests/ingress/routes/test_commands.py::test_{}"
_CARDS: Final = "tests/ingress/http/test_cards.py::test_{}"
_REQUEST_ID: Final = "tests/ingress/http/test_request_id.py::test_{}"
_TIMELINE: Final = "tests/ingress/routes/test_timeline.py::test_{}"
_CALL_CLAIMS: Final = "tests/processor/worker/test_call_claims.py::test_{}"
_SILENT_POSTGRES: Final = "tests/hostile/test_silent_postgres.py::test_{}"
_ROUTER: Final = "tests/processor/worker/test_router.py::test_{}"
_DISPATCHER: Final = "tests/processor/worker/test_dispatcher.py::test_{}"
_RECONCILER_LOOP: Final = "tests/processor/worker/test_reconciler_loop.py::test_{}"
_RECONCILER: Final = "tests/processor/worker/test_reconciler.py::test_{}"

BUGS: Final = (
    Bug(
        "worker",
        "processor.worker.loops:_run_until_stalled",
        "min(loop.heartbeat.silent_s, time.monotonic() - began)",
        "loop.heartbeat.silent_s",
        "a loop that waited long for its restart is cancelled at once",
        (_LOOPS.format("a_loop_that_has_just_started_is_not_stalled"),),
    ),
    Bug(
        "ingress",
        "ingress.command_builders:_identify",
        ", exclude_none=True)",
        ")",
        "a retry after a release with a new field is refused",
        ("tests/ingress/routes/test_reused_keys.py::test_the_store_decides_which_body_was_first",),
    ),
    Bug(
        "ingress",
        "ingress.command_builders:create",
        "expires_at=received_at + expiry",
        "expires_at=received_at",
        "every payment that waits for its customer is cancelled at once",
        (_COMMANDS.format("a_create_is_published_and_accepted"),),
    ),
    Bug(
        "ingress",
        "ingress.command_service:CommandService.accept",
        "known.accepted = True return",
        "return",
        "a retry in memory is published a second time",
        (_COMMANDS.format("a_retry_gets_the_same_response"),),
    ),
    Bug(
        "ingress",
        "ingress.cards:_RANDOM_ID",
        "{32,}",
        "{16,}",
        "a card number with a letter beside it is published",
        (_CARDS.format("letters_next_to_a_card_number_do_not_hide_it"),),
    ),
    Bug(
        "ingress",
        "ingress.cards:_fields",
        "isinstance(value, list | tuple)",
        "isinstance(value, tuple)",
        "a card number in a list is published",
        (_CARDS.format("every_field_with_a_card_number_is_named"),),
    ),
    Bug(
        "ingress",
        "ingress.http.middleware:_log_failure",
        "error=type(error).__name__",
        "error=repr(error)",
        "what a client sent is in the log of our own defects",
        ("tests/ingress/http/test_problems.py::test_a_500_reveals_nothing",),
    ),
    Bug(
        "ingress",
        "ingress.http.middleware:RequestMiddleware.__call__",
        'scope["method"] if scope["method"] in _METHODS else "other"',
        'scope["method"]',
        "a client makes as many time series as it likes",
        ("tests/ingress/routes/test_operations.py::test_metrics_are_labelled_by_route",),
    ),
    Bug(
        "ingress",
        "ingress.http.middleware:RequestMiddleware.__call__",
        "(HEADER, own_id.encode())",
        '(HEADER, dict(scope["headers"]).get(HEADER, own_id.encode()))',
        "an answer repeats an X-Request-Id that the log does not have",
        (_REQUEST_ID.format("an_unfit_id_is_not_repeated"),),
    ),
    Bug(
        "ingress",
        "ingress.http.request_id:_accepted",
        "None if contains_card_number(text) else text",
        "text",
        "a card number in X-Request-Id is on every line of its request",
        (_REQUEST_ID.format("any_other_id_is_replaced"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.timeline:_reason",
        "if entry.outcome == Outcome.QUARANTINED:",
        "if False:",
        "a client reads the text of our own defect",
        (_TIMELINE.format("an_internal_error_is_not_shown"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.timeline:_call",
        "_hide_other_payments(payment_id, entry.last_error)",
        "entry.last_error",
        "a client reads another tenant's payment ID",
        (_TIMELINE.format("no_calls_error_names_another_payment"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.payment_commands:_accepted",
        "if replayed:",
        "if not replayed:",
        "a client takes its first answer for a repetition",
        (_COMMANDS.format("a_retry_gets_the_same_response"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.payment_commands:refund_payment",
        "identity.refund_id(payment_id, key)",
        "identity.refund_id(payment_id, operation.fingerprint)",
        "a second refund of the same amount is taken for the first",
        (_COMMANDS.format("an_operation_is_published_and_accepted"),),
    ),
    Bug(
        "sql",
        "postgres.outbox:RENEW",
        "and attempts = %(attempts)s",
        "",
        "a worker that lost its call keeps the new owner's lease alive",
        (_CALL_CLAIMS.format("a_lost_claim_changes_nothing"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:renew",
        "cursor.rowcount > 0",
        "cursor.rowcount >= 0",
        "two workers make the same call at the same time",
        (_CALL_CLAIMS.format("a_call_that_is_done_stays_done"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:RETRY",
        "and attempts = %(attempts)s",
        "",
        "a worker that lost its call makes it due under the new owner",
        (
            "tests/processor/worker/test_call_isolation.py::test_the_late_end_of_a_lost_lease_changes_nothing",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.deadlines:ServingConnection.wait",
        "self.pgconn.finish()",
        "pass",
        "a pool keeps a connection whose statement never ended",
        (_SILENT_POSTGRES.format("a_statement_without_a_response_times_out"),),
    ),
    Bug(
        "sql",
        "postgres.deadlines:OperatingConnection",
        "answer_within_s = OPERATING_S",
        "answer_within_s = ServingConnection.answer_within_s",
        "an audit of large tables fails after half a minute",
        (_SILENT_POSTGRES.format("an_operators_statement_may_take_longer"),),
    ),
    Bug(
        "sql",
        "postgres.routing:record_ignored",
        "i.kind, i.reason",
        "i.reason, i.kind",
        "an ignored webhook's kind stands in place of its reason",
        (_ROUTER.format("a_webhook_without_effect_is_ignored_with_its_reason"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.router:Router._finish",
        (
            "await self._send(known, dead) await with_timeout( ADAPTER_TIMEOUT_S, "
            "self._store.delete_unrouted([u.event_id for u in waiting]) )"
        ),
        (
            "await with_timeout(ADAPTER_TIMEOUT_S, "
            "self._store.delete_unrouted([u.event_id for u in waiting])); await "
            "self._send(known, dead)"
        ),
        "a webhook is lost if the brokers are away at that moment",
        (_ROUTER.format("a_webhook_that_was_not_sent_keeps_waiting"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.router:_dead",
        "headers=unrouted.headers",
        "headers={}",
        "a dead letter that waited can't be sent again",
        (_ROUTER.format("a_webhook_whose_object_stays_unknown_is_a_dead_letter"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.router:_as_unrouted",
        "(headers.EVENT_ID, headers.PROVIDER, headers.OBJECT_ID)",
        "(headers.EVENT_ID, headers.PROVIDER)",
        "an object ID of any length is stored as a key",
        (
            "tests/processor/worker/test_router_hostile.py::test_a_webhook_that_cannot_be_stored_is_a_dead_letter",
        ),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.retention:Retention.sweep",
        "settings.parked_max_age_s",
        "settings.unrouted_max_age_s",
        "a parked webhook is given up 27 days too early",
        (
            "tests/processor/worker/test_retention.py::test_an_input_whose_payment_never_came_is_given_up",
        ),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.dispatcher:_refusal",
        'storable(refused.code) or "unknown"',
        "storable(refused.code)",
        "a refusal without a code is never published and called for ever",
        (_DISPATCHER.format("a_refusal_without_a_code_is_a_result"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.dispatcher:Dispatcher._finish",
        "for task in in_flight: task.cancel()",
        "",
        "a call that hangs outlives its worker's shutdown",
        (_CALL_CLAIMS.format("shutdown_waits_for_calls_in_flight_but_not_for_ever"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.reconciler:_expiry",
        'cause="expired",',
        "",
        "an expiry cancels a payment whose customer acted in time",
        (_RECONCILER_LOOP.format("a_payment_without_action_in_time_expires"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.reconciler:Reconciler._publish",
        "client.name, headers.RECEIVED_AT",
        "object_id, headers.RECEIVED_AT",
        "an object that was looked up becomes a dead letter",
        (_RECONCILER.format("an_unfinished_silent_payments_object_is_looked_up"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.reconciler:Reconciler._list_events",
        (
            "await self._sender.send([_as_record(event, provider, now) for event "
            "in page]) await self._store.write_cursor(provider, "
            "page[-1].webhook.event_id, now)"
        ),
        (
            "await self._store.write_cursor(provider, page[-1].webhook.event_id, "
            "now); await self._sender.send([_as_record(event, provider, now) for "
            "event in page])"
        ),
        "events are lost if the brokers are away at that moment",
        (_RECONCILER.format("the_cursor_moves_page_by_page"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "ingress.publisher:KafkaPublisher.publish",
        "sent=error.sent",
        "sent=False",
        "a retry of a record that may be in the log gets new times",
        ("tests/ingress/test_publisher.py::test_whether_a_record_may_be_in_the_log_is_kept",),
    ),
    Bug(
        "ingress",
        "ingress.routes.payment_commands:_provider",
        "if provider not in context.readers:",
        'if body.provider == "":',
        "a payment of an unknown provider waits for ever",
        ("tests/ingress/routes/test_providers.py::test_an_unknown_provider_is_422",),
    ),
    Bug(
        "ingress",
        "ingress.command_builders:_accepted_amount",
        "if command.amount is not None else",
        "if command.amount is None else",
        "a client reads that its partial capture captures everything",
        (_COMMANDS.format("an_operation_is_published_and_accepted"),),
    ),
    Bug(
        "ingress",
        "ingress.command_builders:accepted_operation",
        "isinstance(command, RefundPayment)",
        "isinstance(command, CapturePayment)",
        "a client gets no refund ID",
        (_COMMANDS.format("an_operation_is_published_and_accepted"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.payment_commands:confirm_payment",
        "partial(command_builders.confirm, operation, body)",
        "partial(command_builders.cancel, operation, CancelRequest())",
        "a confirm cancels the payment",
        (_COMMANDS.format("an_operation_is_published_and_accepted"),),
    ),
    Bug(
        "worker",
        "processor.worker.dispatcher:_outcome_text",
        "storable(outcome.code)",
        "outcome.message",
        "a provider's text for people is stored as the outcome",
        (_DISPATCHER.format("a_refusal_is_a_result_too"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.reconciler:Reconciler._run_sweep",
        "if is_cancelled(): raise",
        "",
        "a reconciler that is stopped goes on",
        (_RECONCILER_LOOP.format("a_sweep_that_is_cancelled_ends"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.loops:HeartbeatOutbox.claim",
        "self._heartbeat.beat()",
        "self._heartbeat.silent_s",
        "a dispatcher at work is restarted every two minutes",
        (_LOOPS.format("each_claim_is_progress"),),
    ),
    Bug(
        "worker",
        "processor.worker.router:Router._without_effect",
        "self._metrics.foreign.labels(webhook.provider).inc()",
        "pass",
        "nobody sees that another account's webhooks come",
        (_ROUTER.format("a_webhook_of_another_mode_is_ignored_and_counted"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.retention:Retention.run",
        "self._heartbeat.beat(rest_s)",
        "self._heartbeat.beat()",
        "a retention that rests for an hour is restarted every two minutes",
        ("tests/runtime/test_jitter.py::test_no_two_pauses_are_equal",),
    ),
)
