"""What others see of a workflow.

Search attributes for lists, details for the one who looks at it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from mipres.domain.stages import Stage, WaitingOn
from mipres.temporal import names


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a workflow stands.

    Attributes:
        stage: None for a workflow that has no stages.
        waiting_on: What it waits for, if anything is down.
        stuck_since: When the waiting began, once support should look.
    """

    stage: Stage | None = None
    waiting_on: WaitingOn | None = None
    stuck_since: datetime | None = None


class Publisher:
    """Publishes each change of position once, in one command.

    Args:
        describe: Writes the details, in Markdown, for a position and the time since when it holds.
        published: What the search attributes say already.
        since: When the workflow came there.
    """

    def __init__(
        self, *, describe: Callable[[Position, datetime], str], published: Position, since: datetime
    ) -> None:
        self._describe = describe
        self._published = published
        self.since = since

    def publish(self, position: Position) -> None:
        """Show a position, if it is another one than before."""
        before = self._published
        if position == before:
            return
        workflow.upsert_search_attributes(_changes(before, position))
        # That a wait has become long changes nothing of when it began.
        if (position.stage, position.waiting_on) != (before.stage, before.waiting_on):
            self.since = workflow.now()
        self._published = position
        self.explain()

    def explain(self) -> None:
        """Write the details. They are no command, so the words may change."""
        workflow.set_current_details(self._describe(self._published, self.since))


def _changes(before: Position, after: Position) -> list[SearchAttributeUpdate[Any]]:
    changes: list[SearchAttributeUpdate[Any]] = []
    if after.stage is not None and after.stage is not before.stage:
        changes.append(names.REGISTRATION_STAGE.value_set(after.stage))
    if after.waiting_on is not before.waiting_on:
        waiting = names.WAITING_ON
        changes.append(waiting.value_set([after.waiting_on]) if after.waiting_on else waiting.value_unset())
    if after.stuck_since != before.stuck_since:
        stuck = names.STUCK_SINCE
        changes.append(stuck.value_set(after.stuck_since) if after.stuck_since else stuck.value_unset())
    return changes
