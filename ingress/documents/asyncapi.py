"""The AsyncAPI document: the topics that others read, for programs; made of the same models."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ingress.documents import published, texts
from ingress.documents.topic_rules import ABOUT, RULES
from schemas import headers
from schemas.identity import OPERATION_ID_PATTERN, PAYMENT_ID_PATTERN
from schemas.settings import KafkaSettings
from schemas.topics import DEAD_LETTERS, PAYMENT_OPERATIONS, PAYMENT_STATE, TOPICS, Topic

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{model}"
_BINDING: Final = "0.5.0"
_RETENTION_S: Final[float] = KafkaSettings.model_fields["log_retention_s"].default
_DIGITS: Final = "^[0-9]+$"
_PAYMENT_KEY: Final = {
    "type": "string",
    "pattern": PAYMENT_ID_PATTERN,
    "description": "The payment's ID: all records of a payment are in one partition, in order.",
}
_ANY_KEY: Final = {"description": "The key of the record that could not be read, if it had one."}


def document(version: str, examples: Mapping[str, Sequence[Json]]) -> Json:
    """Returns the document.

    Args:
        version: of the API.
        examples: of each topic's messages, each with ``name``, ``headers`` and ``payload``.
    """
    topics = {topic.name: topic for topic in TOPICS}
    schemas: Json = {}
    for name in published.PUBLISHED:
        _add_schemas(schemas, published.schema_of(name, _REF))
    schemas |= {_headers_name(name): schema for name, schema in _HEADERS.items()}
    shown = [topics[name] for name in RULES]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Payments",
            "version": version,
            "description": ABOUT,
            "license": {"name": texts.LICENSE["name"]},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in shown},
        "operations": {_operation_id(topic.name): _operation(topic) for topic in shown},
        "components": {
            "messages": {
                _message_name(topic.name): _message(topic, examples.get(topic.name, ()))
                for topic in shown
            },
            "schemas": schemas,
        },
    }


def _channel(topic: Topic) -> Json:
    return {
        "address": topic.name,
        "title": f"{topic.value[0].upper()}{topic.value[1:]}",
        "description": RULES[topic.name],
        "messages": {
            _message_name(topic.name): {
                "$ref": f"#/components/messages/{_message_name(topic.name)}"
            }
        },
        "bindings": {"kafka": _topic_binding(topic)},
    }


def _topic_binding(topic: Topic) -> Json:
    """Returns the topic's configuration, as ``payments topics`` makes it at the default."""
    settings = topic.settings(_RETENTION_S)
    return {
        "topic": topic.name,
        "topicConfiguration": {
            "cleanup.policy": settings["cleanup.policy"].split(","),
            "retention.ms": int(settings["retention.ms"]),
            "max.message.bytes": int(settings["max.message.bytes"]),
        },
        "bindingVersion": _BINDING,
    }


def _operation(topic: Topic) -> Json:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "title": f"Publish {topic.name}",
        "summary": f"Written by: {topic.written_by}. Read by: {topic.read_by}.",
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{_message_name(topic.name)}"}],
    }


def _message(topic: Topic, examples: Sequence[Json]) -> Json:
    is_ours = topic.name in published.PUBLISHED
    payload: Json = (
        {"$ref": _REF.format(model=_payload_name(topic.name))}
        if is_ours
        else {"description": "The bytes of the record that could not be read, as they came."}
    )
    key = _PAYMENT_KEY if is_ours else _ANY_KEY
    return {
        "name": _message_name(topic.name),
        "title": f"{topic.value[0].upper()}{topic.value[1:]}",
        "contentType": "application/json" if is_ours else "application/octet-stream",
        "headers": {"$ref": _REF.format(model=_headers_name(topic.name))},
        "payload": payload,
        "bindings": {"kafka": {"key": dict(key), "bindingVersion": _BINDING}},
        **({"examples": [dict(example) for example in examples]} if examples else {}),
    }


def _add_schemas(schemas: Json, schema: Json) -> None:
    """Adds a schema and what it defines to the components, in the dialect of AsyncAPI."""
    defined = schema.pop("$defs", {})
    for name, part in {**defined, schema["title"]: schema}.items():
        for each in published.parts(part):
            if isinstance(each.get("discriminator"), dict):  # AsyncAPI names the field alone
                each["discriminator"] = each["discriminator"]["propertyName"]
        schemas.setdefault(name, part)


def _camel(topic: str) -> str:
    return "".join(map(str.capitalize, topic.split("-")))


def _message_name(topic: str) -> str:
    return _camel(topic).removesuffix("s")


def _headers_name(topic: str) -> str:
    return f"{_message_name(topic)}Headers"


def _payload_name(topic: str) -> str:
    title: str = published.schema_of(topic)["title"]
    return title


def _operation_id(topic: str) -> str:
    return f"publish_{topic.replace('-', '_')}"


def _said(description: str, **schema: Any) -> Json:
    """Returns the schema of a header's text."""
    return {"type": "string", "description": description, **schema}


def _header_schema(fields: Mapping[str, Json], optional: Sequence[str] = ()) -> Json:
    return {
        "type": "object",
        "description": "Each header's value is UTF-8 text.",
        "properties": dict(fields),
        "required": [name for name in fields if name not in optional],
    }


def _cloud_event(kind: str, identifier: Json, at: str) -> dict[str, Json]:
    """Returns the headers of CloudEvents 1.0 in binary mode, with what they mean here."""
    return {
        "ce_specversion": _said("CloudEvents' version.", const="1.0"),
        "ce_id": identifier,
        "ce_source": _said("Who published it.", const=headers.CLOUD_EVENT_SOURCE),
        "ce_type": _said("The form of the value. Another form gets another type.", const=kind),
        "ce_subject": _said("The payment's ID, like the key.", pattern=PAYMENT_ID_PATTERN),
        "ce_time": _said(at, format="date-time"),
        "content-type": _said("How the value is written.", const="application/json"),
    }


CLOUD_EVENT_OPERATION_TYPE: Final = "payments.payment.operation.v1"
_PUBLICATION: Final = _said(
    "`<payment ID>:<publication>:<version>`. Both copies of a record that is published twice have "
    "the same."
)
_QUARANTINED: Final = _said(
    "There while the payment is quarantined: our own code could not process an event of it, and "
    "what came since waits for an operator.",
    const="true",
)
_CHANGE: Final = _said(
    "`<operation ID>:<status>`: what to deduplicate by.",
    pattern=f"{OPERATION_ID_PATTERN.removesuffix('$')}:[a-z]+$",
)
_ALTERED: Final = _said(
    "Why the dead letter differs from the record, such as being cut; else absent. It is then never "
    "sent again."
)
_HEADERS: Final[Mapping[str, Json]] = {
    PAYMENT_STATE: _header_schema(
        {
            **_cloud_event(headers.CLOUD_EVENT_TYPE, _PUBLICATION, "When the version was decided."),
            headers.QUARANTINED: _QUARANTINED,
        },
        optional=[headers.QUARANTINED],
    ),
    PAYMENT_OPERATIONS: _header_schema(
        _cloud_event(CLOUD_EVENT_OPERATION_TYPE, _CHANGE, "When the operation got this status.")
    ),
    DEAD_LETTERS: _header_schema(
        {
            headers.ORIGINAL_TOPIC: _said("The topic of the record."),
            headers.ORIGINAL_PARTITION: _said("Its partition.", pattern=_DIGITS),
            headers.ORIGINAL_OFFSET: _said("Its offset.", pattern=_DIGITS),
            headers.ORIGINAL_TIMESTAMP: _said("Its timestamp, in milliseconds since 1970."),
            headers.ERROR: _said("Why it could not be read, in one sentence."),
            headers.ALTERED: _ALTERED,
        },
        optional=[headers.ALTERED],
    ),
}
