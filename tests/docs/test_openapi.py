"""The JSON API's document in the repository is what the API answers."""

import json

from dev import openapi


def test_the_committed_document_is_the_one_of_the_api() -> None:
    committed = openapi.FILE.read_text(encoding="utf-8")
    assert committed == openapi.document(), "the JSON API changed: run `make openapi` and read the difference"


def test_it_describes_the_registrations() -> None:
    assert "/api/v1/registrations" in json.loads(openapi.FILE.read_text(encoding="utf-8"))["paths"]
