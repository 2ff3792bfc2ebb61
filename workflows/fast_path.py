"""The straight path as one activity: checks and registration, one try each."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from temporalio import activity

from activities.accounts import RegisterAccountResult
from activities.registries import IdentityResult, PlacementResult, ProfessionResult
from mipres.domain.accounts import FirstLink
from mipres.domain.submissions import Submission
from mipres.domain.terms import Consent
from workflows import checks, steps
from workflows.policies import FAST_ATTEMPT
from workflows.steps import Step


@dataclass(frozen=True, kw_only=True)
class FastPathInput:
    """What the checks and the registration of a person need.

    `first_link` is None in a history of before it was issued with the account.
    """

    radicado: str
    submission: Submission
    consent: Consent
    first_link: FirstLink | None = None


@dataclass(kw_only=True)
class FastPathResult:
    """What each step said, by the name of its activity.

    The path ends at a refusal, at the account, or at the step that failed.

    Attributes:
        failed: The activity that failed technically, if one did; the durable path begins there.
    """

    check_person: IdentityResult | None = None
    check_delegation: IdentityResult | None = None
    check_profession: ProfessionResult | None = None
    check_other_user: ProfessionResult | None = None
    check_placement: PlacementResult | None = None
    register_account: RegisterAccountResult | None = None
    failed: str | None = None

    def said(self) -> dict[str, Any]:
        """What each step said, by its activity; None of the one that failed."""
        answers = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "failed"}
        return {name: said for name, said in answers.items() if said is not None or name == self.failed}


class FastPath:
    """Served by the queue `registrations`, over the durable path's activities.

    Args:
        activities: Every activity that a step of the path names, ready to be called.
    """

    def __init__(self, activities: Iterable[Callable[..., Any]]) -> None:
        self._activities = {function.__name__: function for function in activities}

    @activity.defn
    async def check_and_register(self, request: FastPathInput) -> FastPathResult:
        """Do every step once; a technical failure ends the path and is no error."""
        runner = _OneTry(self._activities)
        try:
            await _walk(runner, request)
        except Exception:
            if runner.result.failed is None:
                raise
        return runner.result


async def _walk(runner: "_OneTry", request: FastPathInput) -> None:
    person, refusal = await checks.identify(runner, request.submission)
    if person is None or refusal is not None:
        return
    verdict = await checks.check_by_type(runner, request.submission)
    if verdict.refusal is None:
        registration = checks.new_registration(
            request, person=person, facts=verdict.facts, first_link=request.first_link
        )
        await runner.do(steps.REGISTER_ACCOUNT, registration)


@dataclass
class _OneTry:
    activities: dict[str, Callable[..., Any]]
    result: FastPathResult = field(default_factory=FastPathResult)

    async def do(self, step: Step, request: object) -> Any:
        name = step.activity.__name__
        try:
            async with asyncio.timeout(FAST_ATTEMPT.total_seconds()):
                answer = await self.activities[name](request)
        except Exception as failure:
            # The durable attempt tells support what is wrong; this one only says where.
            activity.logger.info("the first attempt of %s failed: %s", name, type(failure).__name__)
            self.result.failed = name
            raise
        setattr(self.result, name, answer)
        return answer
