"""Bugs of the limits that a provider has for each endpoint of its API."""

from typing import Final

from tests.mutants.planted import Bug

_ASKING: Final = "tests/providers/stripe/access/test_asking.py::test_{}"
_BUDGET: Final = "tests/processor/worker/test_rate_budget.py::test_{}"
_FILE: Final = "tests/providers/test_file_accounts.py::test_{}"
_REGISTRY: Final = "tests/providers/test_registry.py::test_{}"

BUGS: Final = (
    Bug(
        "worker",
        "ports.rate_budget:RequestBudget.take",
        "if narrow is not None:",
        "if False:",
        "an endpoint is asked as often as the whole account may be, and refuses",
        (_ASKING.format("a_request_takes_of_its_endpoint_first_and_of_the_account"),),
    ),
    Bug(
        "worker",
        "ports.rate_budget:RequestBudget.refused",
        "(narrow or self.budget)",
        "self.budget",
        "a refusal of one endpoint stops every request to the account",
        (_ASKING.format("a_refusal_blocks_what_it_names"),),
    ),
    Bug(
        "worker",
        "ports.rate_budget:RateLimit.of_endpoint",
        "per_s >= self.per_s",
        "False",
        "every request in test mode costs a second statement for nothing",
        (_BUDGET.format("an_endpoint_whose_limit_is_no_lower_costs_no_statement"),),
    ),
    Bug(
        "worker",
        "ports.rate_budget:RateLimit.of_endpoint",
        'f"{self.account} {endpoint}"',
        "self.account",
        "every endpoint has the account's bucket, and all share the least rate",
        (_BUDGET.format("a_refusal_of_an_endpoint_blocks_no_other"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.rate_budget:SharedBudget.of_endpoint",
        "self._endpoints[endpoint] = known",
        "str(known)",
        "each request begins a budget of its own, whose block it forgets",
        (_BUDGET.format("an_endpoint_whose_limit_is_no_lower_costs_no_statement"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.asking:endpoint_of",
        '_OBJECT.sub(r"\\1/{id}", path)',
        "path",
        "each object has a bucket of its own, which limits nothing",
        (_ASKING.format("an_endpoint_is_an_operation_on_any_object"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.asking:asking",
        "endpoint if is_of_endpoint(error) else None",
        "endpoint",
        "a refusal of the whole account stops one endpoint alone",
        (_ASKING.format("a_refusal_blocks_what_it_names"),),
    ),
    Bug(
        "providers",
        "providers.registry:rate_limits",
        "per_s, narrow)",
        "per_s)",
        "Stripe refuses the creates of an account with more than 25 payments a second",
        (_REGISTRY.format("an_account_has_the_rate_limit_of_its_mode"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.rate_limits",
        "a.endpoint_requests_per_s or endpoint_per_s",
        "endpoint_per_s",
        "a limit that Stripe has raised is never used",
        (_FILE.format("an_account_may_have_a_limit_of_its_own"),),
    ),
    Bug(
        "worker",
        "processor.worker.rate_budget:SharedBudget.take",
        "self._is_account and what is not RequestClass.CALL",
        "self._is_account",
        "calls count as reads, so the alert for too many comes for nothing",
        (_BUDGET.format("every_read_is_counted_once_and_no_call"),),
    ),
    Bug(
        "worker",
        "processor.worker.rate_budget:SharedBudget.of_endpoint",
        "is_account=False",
        "is_account=True",
        "a read counts twice",
        (_BUDGET.format("every_read_is_counted_once_and_no_call"),),
    ),
)
