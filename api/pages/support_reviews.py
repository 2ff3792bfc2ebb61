"""`/soporte/revision`: the review of access, and what support answers its guard."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response

from api.forms import typed_in
from api.pages.support import done_before, lead_again, lead_back
from api.protection import LOOKS, READS, STAFF_FORM, STAFF_REQUIRED, StaffDep
from api.services import SupportDep
from mipres.domain import sentences
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.domain.review import ReviewStage
from mipres.support.reviews import NoReviewStoppedError, ReviewDecision

router = APIRouter(prefix="/soporte/revision", include_in_schema=False)

_DECISIONS = {"continuar": ReviewDecision.GO_ON, "abandonar": ReviewDecision.ABANDON}
_QUESTIONS = {
    ReviewDecision.GO_ON: "¿Continuar la revisión?",
    ReviewDecision.ABANDON: "¿Abandonar la revisión?",
}
_CONSEQUENCES = {
    ReviewDecision.GO_ON: "La revisión retira los accesos que encontró y avisa por correo a esas personas; su freno queda abierto para ese registro hasta que termine. Hágalo solo si la entidad que opera el registro confirmó sus datos.",
    ReviewDecision.ABANDON: "Nadie pierde lo que el freno detuvo, y la próxima noche se pregunta otra vez. Es lo seguro si el registro perdió datos o si no se sabe.",
}
_DONE = {
    ReviewDecision.GO_ON: "La revisión sigue.",
    ReviewDecision.ABANDON: "La revisión se abandonó.",
}


@router.api_route("", methods=LOOKS, dependencies=[STAFF_REQUIRED])
async def show(request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Show the review that runs, and what applies to it."""
    reviews = await services.reviews.running()
    return services.pages.render(
        request,
        "support_review",
        member=member,
        reviews=reviews,
        is_stopped=any(review.stage is ReviewStage.STOPPED for review in reviews),
        done=done_before(request, services),
    )


@router.api_route("/{action}", methods=READS, dependencies=[STAFF_REQUIRED])
async def ask(action: str, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Ask for the reason, and say what follows."""
    decision, shown = _chosen(action), services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_review_confirm",
        status=shown.shown_status,
        member=member,
        action=action,
        question=_QUESTIONS[decision],
        consequence=_CONSEQUENCES[decision],
        typed=shown.typed.get("motivo", ""),
        errors=shown.errors,
    )


@router.post("/{action}", dependencies=[STAFF_FORM])
async def decide(action: str, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Have the stopped review go on, or end, with a reason."""
    decision, typed = _chosen(action), typed_in(await request.form(), ("motivo",))
    try:
        await services.reviews.decide(decision, reason=checked_reason(typed["motivo"]), actor=member.actor)
    except (ReasonRefusedError, NoReviewStoppedError) as error:
        sentence = str(error) or sentences.NO_REVIEW_STOPPED
        return lead_again(request, services, f"/soporte/revision/{action}", typed, {"motivo": sentence})
    return lead_back(request, services, "/soporte/revision", _DONE[decision])


def _chosen(action: str) -> ReviewDecision:
    if action not in _DECISIONS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return _DECISIONS[action]
