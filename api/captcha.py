"""The captcha of a form: its challenge, and whether the person solved it.

A page asks for it by `services.captcha.of(request)` and judges it by `services.captcha.of(request, form)`: it
belongs to the form at the request's address, in the request's visit.
"""

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData

from api.forms import text_of
from api.security import Cookies
from mipres.captcha.challenges import CaptchaChallenges, Place, Verdict
from mipres.domain.errors import FieldError

_MISSING = FieldError(field="captcha", message="Escriba el código de la imagen", is_missing=True)
_ERRORS = {
    Verdict.WRONG: "El código no corresponde a la imagen; escriba el de la imagen nueva",
    Verdict.USED: "Ese código ya se usó; escriba el de la imagen nueva",
    Verdict.EXPIRED: "El código venció; escriba el de la imagen nueva",
}


@dataclass(frozen=True, kw_only=True)
class CaptchaView:
    """The challenge that a page shows, and a typed answer that is not judged yet."""

    challenge: str
    answer: str = ""


class FormCaptcha:
    """The captcha of one form in one visit, or none where MIPRES_CAPTCHA is off.

    It is judged last, so that one solved challenge buys exactly one answer of the registries, and
    a challenge that was not judged stays with what was typed.
    """

    def __init__(self, challenges: CaptchaChallenges | None, place: Place, form: FormData | None) -> None:
        self._challenges = challenges
        self._place = place
        self._challenge = text_of(form, "captcha_id") if form else ""
        self._answer = text_of(form, "captcha") if form else ""
        self.another_image_asked = form is not None and bool(text_of(form, "actualizar_imagen"))

    def missing(self) -> tuple[FieldError, ...]:
        """Return the error of an answer that is missing or comes too late."""
        if self._challenges is None:
            return ()
        if self._challenges.has_expired(self._challenge):
            return (_error(Verdict.EXPIRED),)
        return () if self._answer.strip() else (_MISSING,)

    async def wrong(self) -> tuple[FieldError, ...]:
        """Use the challenge up, and return the error of a wrong answer, if it is wrong."""
        if self._challenges is None:
            return ()
        verdict = await self._challenges.redeem(self._challenge, self._answer, self._place)
        if verdict is Verdict.RIGHT:
            return ()
        self._challenge = ""
        return (_error(verdict),)

    def view(self) -> CaptchaView | None:
        """Return what the page shows now."""
        if self._challenges is None:
            return None
        if self.another_image_asked or not self._challenges.is_open(self._challenge, self._place):
            return CaptchaView(challenge=self._challenges.new(self._place))
        return CaptchaView(challenge=self._challenge, answer=self._answer)


class FormCaptchas:
    """The captchas of all forms.

    Attributes:
        challenges: None where MIPRES_CAPTCHA is off.
    """

    def __init__(self, challenges: CaptchaChallenges | None, *, cookies: Cookies) -> None:
        self.challenges = challenges
        self._cookies = cookies

    def of(self, request: Request, form: FormData | None = None) -> FormCaptcha:
        """Return the captcha of the form at this address in this visit.

        Args:
            request: What shows the form or carries it.
            form: What was sent, or None where the form is shown for the first time.
        """
        place = Place(form=request.url.path, visit=self._cookies.visit(request))
        return FormCaptcha(self.challenges, place, form)

    def another(self, request: Request, challenge: str) -> str | None:
        """Make another challenge for the form that shows this one."""
        visit = self._cookies.visit(request)
        return self.challenges.another(challenge, visit=visit) if self.challenges else None


def _error(verdict: Verdict) -> FieldError:
    return FieldError(field="captcha", message=_ERRORS[verdict])
