"""The captcha of a form: its challenge, and whether the person solved it.

A form's answer is judged by `services.captcha.of(request, form)`, and its page shows `services.captcha.view(request)`:
the challenge belongs to the form at the request's address, in the request's visit.
"""

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData

from api.forms import text_of
from api.security import Cookies
from mipres.captcha.challenges import CaptchaChallenges, Place, Verdict
from mipres.captcha.proofs import ProofsOfWork
from mipres.domain import sentences
from mipres.domain.errors import FieldError

# ALTCHA's own name of the field.
_PROOF_FIELD = "altcha"
_MISSING = FieldError(field="captcha", message=sentences.FROM_THE_PICTURE.capitalize(), is_missing=True)
_ERRORS = {
    Verdict.WRONG: f"El código no corresponde a la imagen; {sentences.FROM_THE_NEW_PICTURE}",
    Verdict.USED: f"Ese código ya se usó; {sentences.FROM_THE_NEW_PICTURE}",
    Verdict.EXPIRED: f"El código venció; {sentences.FROM_THE_NEW_PICTURE}",
}
CAPTCHA_NEEDED = (
    f"Con este usuario hubo varios intentos fallidos: {sentences.FROM_THE_PICTURE} y otra vez la contraseña"
)
"""Where a login asks for the captcha that its first page does not show."""
_UNPROVEN = FieldError(
    field="captcha", message=f"No se pudo comprobar su navegador; {sentences.FROM_THE_PICTURE}"
)


@dataclass(frozen=True, kw_only=True)
class CaptchaView:
    """The challenge that a page shows.

    Attributes:
        by_proof: Whether the browser may answer by a proof of work.
    """

    challenge: str
    by_proof: bool = False


class FormCaptcha:
    """The captcha of one form in one visit, or none where MIPRES_CAPTCHA is off.

    It is judged last, so that one solved challenge buys exactly one answer of the registries, and
    a challenge that was not judged is shown again. Its text is kept nowhere.
    """

    def __init__(
        self,
        challenges: CaptchaChallenges | None,
        proofs: ProofsOfWork | None,
        place: Place,
        form: FormData,
    ) -> None:
        self._challenges, self._proofs = challenges, proofs
        self._proof = _proof_in(form) if proofs else ""
        self._place = place
        self._challenge = text_of(form, "captcha_id")
        self._answer = text_of(form, "captcha")
        self.was_shown = bool(self._challenge)
        self.another_image_asked = bool(text_of(form, "actualizar_imagen"))

    @property
    def is_off(self) -> bool:
        return self._challenges is None

    @property
    def to_show(self) -> str:
        """The challenge that the page shows again; empty where it shows another one."""
        return "" if self.another_image_asked else self._challenge

    def missing(self) -> tuple[FieldError, ...]:
        """Return the error of an answer that is missing or comes too late."""
        if self._challenges is None or self._proof:
            return ()
        if self._challenges.has_expired(self._challenge):
            return (_error(Verdict.EXPIRED),)
        return () if self._answer.strip() else (_MISSING,)

    async def wrong(self) -> tuple[FieldError, ...]:
        """Use the challenge up, and return the error of a wrong answer, if it is wrong."""
        if self._challenges is None:
            return ()
        if self._proofs and self._proof:
            proven = self._proofs.proven(self._proof) or ""
            is_right = await self._challenges.redeem_proven(proven, self._place) is Verdict.RIGHT
            return () if is_right else (_UNPROVEN,)
        verdict = await self._challenges.redeem(self._challenge, self._answer, self._place)
        if verdict is Verdict.RIGHT:
            return ()
        self._challenge = ""
        return (_error(verdict),)

    async def refusal(self) -> tuple[FieldError, ...]:
        """Judge the captcha of a form that shows one only sometimes."""
        return (self.missing() or await self.wrong()) if self.was_shown else ()


class FormCaptchas:
    """The captchas of all forms.

    Attributes:
        challenges: None where MIPRES_CAPTCHA is off.
        proofs: None but where MIPRES_CAPTCHA is proof.
    """

    def __init__(
        self, challenges: CaptchaChallenges | None, proofs: ProofsOfWork | None, *, cookies: Cookies
    ) -> None:
        self.challenges, self.proofs = challenges, proofs
        self._cookies = cookies

    def of(self, request: Request, form: FormData) -> FormCaptcha:
        """Return the captcha of a form that was sent to this address in this visit."""
        return FormCaptcha(self.challenges, self.proofs, self._place(request), form)

    def view(self, request: Request, challenge: str = "") -> CaptchaView | None:
        """Return what the page of a form shows.

        This challenge if it is still open, else another one.
        """
        if self.challenges is None:
            return None
        place = self._place(request)
        if not self.challenges.is_open(challenge, place):
            challenge = self.challenges.new(place)
        return CaptchaView(challenge=challenge, by_proof=self.proofs is not None)

    def another(self, request: Request, challenge: str) -> str | None:
        """Make another challenge for the form that shows this one."""
        visit = self._cookies.visit(request)
        return self.challenges.another(challenge, visit=visit) if self.challenges else None

    def _place(self, request: Request) -> Place:
        return Place(form=request.url.path, visit=self._cookies.visit(request))


def _proof_in(form: FormData) -> str:
    value = form.get(_PROOF_FIELD)
    return value if isinstance(value, str) else ""


def _error(verdict: Verdict) -> FieldError:
    return FieldError(field="captcha", message=_ERRORS[verdict])
