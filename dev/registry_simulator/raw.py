"""Answers that are given exactly as they were ordered, however wrong they are."""

import codecs
import json
from collections.abc import Mapping
from email.message import Message
from typing import Annotated, Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

_DEFAULT_CHARSET = "utf-8"


class RawAnswer(BaseModel):
    """Body of `PUT /_control/raw/{registry}`.

    What one path answers until it is taken back.

    Attributes:
        path: Path below the registry's prefix, with or without a query.
        body: A text is sent as it is, anything else as JSON; the charset is the one that `headers` declare.
        delay_ms: Pause before the answer.
        close: Close the connection instead of answering.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, StringConstraints(pattern=r"^/")]
    status: int = Field(default=200, ge=200, le=599)
    headers: Mapping[str, str] = {}
    body: Any = ""
    delay_ms: int = Field(default=0, ge=0, le=600_000)
    close: bool = False

    @model_validator(mode="after")
    def _can_be_written(self) -> "RawAnswer":
        self.response()
        return self

    def response(self) -> Response:
        """Write the answer.

        Raises:
            ValueError: the body or a header cannot be written as declared.
        """
        is_text = isinstance(self.body, str)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not is_text:
            headers.setdefault("content-type", "application/json")
        text = self.body if is_text else json.dumps(self.body, ensure_ascii=False)
        content = text.encode(_charset(headers.get("content-type", "")), "surrogatepass")
        return Response(content, self.status, headers)


class RawAnswerGivenError(Exception):
    """The caller gets `answer`."""

    def __init__(self, answer: RawAnswer) -> None:
        self.answer = answer
        super().__init__(answer.path)


def _charset(content_type: str) -> str:
    message = Message()
    message["Content-Type"] = content_type
    declared = message.get_content_charset(_DEFAULT_CHARSET)
    try:
        codecs.lookup(declared)
    except LookupError:
        # A registry may declare what does not exist.
        return _DEFAULT_CHARSET
    return declared
