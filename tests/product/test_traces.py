"""From a request to the activities it sets off.

One trace, which says what happened and not to whom.
"""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from mipres.tracing import ALLOWED_ATTRIBUTES
from tests.product.conftest import Product

pytestmark = pytest.mark.one_of_each


def of_workflow(product: Product, workflow_id: str) -> list[tuple[str, Span]]:
    """Every span of the trace that this workflow belongs to."""
    spans = product.traces.spans()
    traces = {
        span.trace_id
        for _, span in spans
        for one in span.attributes
        if (one.key, one.value.string_value) == ("temporalWorkflowID", workflow_id) and "Start" in span.name
    }
    return [(service, span) for service, span in spans if span.trace_id in traces]


async def test_a_submission_is_one_trace_from_request_to_mail(product: Product) -> None:
    person = await product.new_professional()
    answer = await product.register_professional(person)
    workflow_id = f"registration/{answer.json()['radicado']}"
    api, worker = "registro-mipres-api", "registro-mipres-worker"
    wanted = {
        (api, "POST /api/v1/registrations"),
        (api, "StartUpdateWithStartWorkflow:Registration"),
        (worker, "RunWorkflow:Registration"),
        (worker, "RunActivity:check_and_register"),
        (worker, "RunActivity:send_password_link"),
    }
    found: dict[tuple[str, str], Span] = {}

    async def complete() -> bool:
        found.update({(service, span.name): span for service, span in of_workflow(product, workflow_id)})
        return wanted <= set(found)

    await product.eventually(complete)
    assert len({span.trace_id for span in found.values()}) == 1
    request = found[api, "POST /api/v1/registrations"]
    assert request.parent_span_id == b""
    assert found[api, "StartUpdateWithStartWorkflow:Registration"].parent_span_id == request.span_id


async def test_a_client_cannot_write_into_our_traces(product: Product) -> None:
    theirs = "0af7651916cd43dd8448eb211c80319c"
    headers = {
        "traceparent": f"00-{theirs}-b7ad6b7169203331-01",
        "baggage": "documento=1987654398",
        **product.headers,
    }
    person = await product.new_professional()
    body = {
        "user_type": "professional",
        "document": person["document"],
        "professional_registration": "76-1234",
        "data_terms_accepted": True,
    }
    answer = await product.api.post("/api/v1/registrations", json=body, headers=headers)
    workflow_id = f"registration/{answer.json()['radicado']}"

    async def arrived() -> bool:
        return bool(of_workflow(product, workflow_id))

    await product.eventually(arrived)
    assert all(span.trace_id.hex() != theirs for _, span in product.traces.spans())
    assert not any(b"1987654398" in body for body in product.traces.bodies)


async def test_spans_carry_what_is_allowed_and_no_errors_words(product: Product) -> None:
    assert (await product.api.get("/contrasena/ficha-secreta-de-un-enlace")).status_code in {303, 404, 410}
    await product.set_registry("sso", mode="garbage")
    try:
        person = await product.new_person()
        await product.register(user_type="social_service", document=person["document"])

        async def arrived() -> bool:
            names = {span.name for _, span in product.traces.spans()}
            return {"RunActivity:check_placement", "GET /contrasena/{token}"} <= names

        await product.eventually(arrived)
    finally:
        await product.set_registry("sso", mode="up")
    for _, span in product.traces.spans():
        assert {one.key for one in span.attributes} <= ALLOWED_ATTRIBUTES, span.name
        assert span.status.message == ""
        assert list(span.events) == []
    assert not any(b"ficha-secreta" in body for body in product.traces.bodies)
