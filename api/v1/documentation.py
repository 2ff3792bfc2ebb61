"""`/api/docs`: the OpenAPI document as a page, without scripts of other sites."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from api.protection import PUBLIC, READS
from api.services import PagesDep

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation as the page shows it; `body` is the JSON Schema of its body."""

    method: str
    path: str
    summary: str
    body: str | None
    answers: tuple[tuple[str, str], ...]


@router.api_route("/api/docs", methods=READS, dependencies=[PUBLIC])
async def show_documentation(request: Request, pages: PagesDep) -> Response:
    document = request.app.openapi()
    return pages.render(request, "api_docs", operations=tuple(_operations(document)))


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = None
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                whole = _resolved(schema, document["components"]["schemas"])
                body = json.dumps(whole, indent=2, ensure_ascii=False)
            yield Operation(
                method=method.upper(),
                path=path,
                summary=operation.get("description", operation["summary"]),
                body=body,
                answers=tuple(
                    (status, answer["description"]) for status, answer in operation["responses"].items()
                ),
            )


def _resolved(node: Any, schemas: dict[str, Any]) -> Any:
    """Put into a schema what its references name."""
    if isinstance(node, list):
        return [_resolved(item, schemas) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _resolved(schemas[node["$ref"].rpartition("/")[2]], schemas)
    return {name: _resolved(value, schemas) for name, value in node.items()}
