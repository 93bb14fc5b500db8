"""Bugs of the documents that describe the API and the topics."""

from typing import Final

from tests.mutants.planted import Bug

_OPENAPI: Final = "tests/ingress/documents/test_openapi.py::test_{}"
_BEHAVIOUR: Final = "tests/ingress/documents/test_behaviour.py::test_{}"
_ASYNCAPI: Final = "tests/ingress/documents/test_asyncapi.py::test_{}"

BUGS: Final = (
    Bug(
        "ingress",
        "ingress.documents.bodies:open_answers",
        "name not in asked",
        "name in asked",
        "an answer's schema forbids the field that the next release adds",
        (_OPENAPI.format("no_answer_forbids_a_field_that_it_does_not_name"),),
    ),
    Bug(
        "ingress",
        "ingress.documents.bodies:name_bodies",
        '"title" in schema and "$ref" not in schema',
        "False",
        "generated clients make up names for the bodies of requests",
        (_OPENAPI.format("every_body_is_a_named_component"),),
    ),
    Bug(
        "ingress",
        "ingress.documents.bodies:never_null",
        "len(kinds) == 1",
        "len(kinds) > 1",
        "a generated client sends `cursor=null`",
        (_OPENAPI.format("no_parameter_can_be_null"),),
    ),
    Bug(
        "ingress",
        "ingress.documents.bodies:drop_unused",
        "schemas.keys() - used",
        "used - schemas.keys()",
        "the document has problems that no operation answers with",
        (_OPENAPI.format("no_component_is_unused"),),
    ),
    Bug(
        "ingress",
        "ingress.documents.problems:add",
        '.insert(len(content["examples"]), _ref(component_name(kind)))',
        ".append(_ref(component_name(kind)))",
        "a generated client takes every problem for the general one and drops what it names",
        (_OPENAPI.format("every_problem_has_a_component_and_an_example_of_its_own_type"),),
    ),
    Bug(
        "ingress",
        "ingress.documents.problems:_component",
        "= type_uri(kind.slug)",
        "= kind.slug",
        "a generated client knows no problem by its type",
        (_OPENAPI.format("every_problem_has_a_component_and_an_example_of_its_own_type"),),
    ),
    Bug(
        "ingress",
        "ingress.app:create_app",
        "lambda route: route.name",
        'lambda route: f"{route.name}_{len(route.path)}"',
        "the functions of a generated client get other names when a path changes",
        (_OPENAPI.format("every_operation_has_a_stable_id"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.openapi:_complete_answers",
        "problem_types.EVERYWHERE",
        "problem_types.EVERYWHERE[1:]",
        "the answer to bytes that are no request is documented nowhere",
        (_OPENAPI.format("every_operation_says_what_any_request_can_come_to"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.openapi:_complete_answers",
        'waits and status < "4"',
        'waits and status < "201"',
        "a client that waited in vain does not see from the document how it could know",
        (_OPENAPI.format("every_answer_that_may_have_waited_says_so"),),
    ),
    Bug(
        "ingress",
        "ingress.documents.problems:example",
        "_DETAILS.get(kind, kind.meaning)",
        "kind.meaning",
        "the document shows problems in words that the service never uses",
        (_BEHAVIOUR.format("a_documented_problem_is_the_one_that_the_service_answers_with"),),
    ),
    Bug(
        "ingress",
        "ingress.http.problems:_on_http_error",
        'headers["Allow"] = _allowed(request)',
        "pass",
        "of two methods at an address, a 405 names only one as allowed",
        ("tests/ingress/http/test_problems.py::test_an_unsupported_method_is_405",),
    ),
    Bug(
        "ingress",
        "ingress.documents.asyncapi:_topic_binding",
        "topic.settings(_RETENTION_S)",
        "topic.settings(1.0)",
        "a consumer believes that records of operations are gone after a second",
        (_ASYNCAPI.format("it_has_the_topics_that_others_read"),),
    ),
    Bug(
        "ingress",
        "ingress.documents.published:open_to_additions",
        "part.get(_CLOSED) is False",
        "part.get(_CLOSED) is True",
        "every consumer that checks the schema stops at the next field",
        (_ASYNCAPI.format("every_field_and_header_is_described"),),
    ),
    Bug(
        "ingress",
        "ingress.documents.topics_page:_rows",
        '"properties" in form',
        '"properties" not in form',
        "the page about the topics does not show what a refund has",
        (_ASYNCAPI.format("the_page_shows_every_topic_and_field_from_this_host"),),
    ),
)
