"""Commands about the reviews of access."""

from mipres.cli import text
from mipres.cli.arguments import As, Reason, read_actor, read_reason
from mipres.cli.documents import JsonOption, print_document
from mipres.cli.running import Tools, run_with_tools, stop
from mipres.cli.spanish import Commands
from mipres.domain import sentences
from mipres.support.reviews import NoReviewStoppedError, ReviewDecision

review = Commands(help="Revisión de los accesos contra los registros.")


@review.command("show")
def show(*, as_json: JsonOption = False) -> None:
    """Muestra la revisión en curso y si su freno la detuvo."""

    async def work(tools: Tools) -> None:
        views = await tools.reviews.running()
        if as_json:
            print_document({"reviews": views})
        if not views:
            stop(f"{sentences.NO_REVIEW}.")
        if not as_json:
            print(text.joined(map(text.review_line, views)))

    run_with_tools(work)


@review.command("go-on")
def go_on(reason: Reason, as_: As = None) -> None:
    """La revisión detenida sigue y retira lo que encontró. Primero pregunte a quien opera el registro."""
    _decide(ReviewDecision.GO_ON, reason, as_)


@review.command("abandon")
def abandon(reason: Reason, as_: As = None) -> None:
    """La revisión detenida se abandona sin retirar lo que su freno detuvo; la próxima pregunta otra vez."""
    _decide(ReviewDecision.ABANDON, reason, as_)


def _decide(decision: ReviewDecision, reason: str, as_: str | None) -> None:
    why = read_reason(reason)

    async def work(tools: Tools) -> None:
        try:
            view = await tools.reviews.decide(decision, reason=why, actor=read_actor(as_))
        except NoReviewStoppedError:
            stop(f"{sentences.NO_REVIEW_STOPPED}.")
        done = "La revisión sigue." if decision is ReviewDecision.GO_ON else "La revisión se abandonó."
        print(f"{done}\n  {view.ui_url}")

    run_with_tools(work)
