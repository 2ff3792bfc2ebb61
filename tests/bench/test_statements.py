"""What one whole registration asks of the database and of Temporal."""

import pytest
from temporalio.client import Client

from bench.costs import Statements, newest_history
from bench.mailbox import open_mailbox
from bench.people import new_professionals
from bench.product import measured_stack
from bench.visits import Driver

REGISTRATIONS = 10
MOST_STATEMENTS = 30
"""All of docs/performance.md: BEGIN, COMMIT and those inside functions too."""
MOST_ASKED = 24
"""Those among them that the product sends."""
MOST_EVENTS = 25
MOST_WORKFLOW_TASKS = 3


@pytest.mark.server
async def test_a_registration_costs_no_more_than_was_reached() -> None:
    async with measured_stack() as stack, open_mailbox(stack.settings.mail_ui_port) as mailbox:
        first, *people = await new_professionals(stack.settings.registry_port, REGISTRATIONS + 1)
        driver, counted = Driver(stack.settings.api_port, mailbox), Statements(stack.database_url)
        await driver.register(first)
        await counted.reset()
        for person in people:
            await driver.register(person)
        driver.close()
        done = await counted.top()
        client = await Client.connect(stack.settings.temporal_address)
        history = await newest_history(client, "RegistrationStage = 'completed'")
    # What runs once in a while, such as a purge, is none of a registration's.
    each = [(int(str(row["calls"])) / REGISTRATIONS, row["is_asked"], str(row["query"])) for row in done]
    regular = [found for found in each if found[0] >= 0.5]
    listed = "\n".join(
        f"{calls:5.1f} {'' if is_asked else '> '}{query[:160]}" for calls, is_asked, query in regular
    )
    statements = round(sum(calls for calls, _, _ in regular))
    asked = round(sum(calls for calls, is_asked, _ in regular if is_asked))
    assert (statements, asked) == (MOST_STATEMENTS, MOST_ASKED), listed
    assert int(str(history["events"])) <= MOST_EVENTS
    assert int(str(history["workflow_tasks"])) <= MOST_WORKFLOW_TASKS
