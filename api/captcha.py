"""The captcha of a form: its challenge, and whether the person solved it."""

from dataclasses import dataclass

from starlette.datastructures import FormData

from api.forms import text_of
from mipres.captcha.challenges import CaptchaChallenges
from mipres.domain.errors import FieldError

_MISSING = FieldError(field="captcha", message="Escriba el código de la imagen", is_missing=True)
_WRONG = FieldError(
    field="captcha", message="El código no corresponde a la imagen; escriba el de la imagen nueva"
)


@dataclass(frozen=True, kw_only=True)
class CaptchaView:
    """The challenge that a page shows, and a typed answer that is not judged yet."""

    challenge: str
    answer: str = ""


class FormCaptcha:
    """The captcha of one request, or none where MIPRES_CAPTCHA is off.

    It is judged last, so that one solved challenge buys exactly one answer of the registries, and
    a challenge that was not judged stays with what was typed.
    """

    def __init__(self, challenges: CaptchaChallenges | None, form: FormData | None = None) -> None:
        self._challenges = challenges
        self._challenge = text_of(form, "captcha_id") if form else ""
        self._answer = text_of(form, "captcha") if form else ""
        self.another_image_asked = form is not None and bool(text_of(form, "actualizar_imagen"))

    def missing(self) -> tuple[FieldError, ...]:
        """Return the error of an empty answer, if it is empty."""
        return (_MISSING,) if self._challenges and not self._answer.strip() else ()

    async def wrong(self) -> tuple[FieldError, ...]:
        """Use the challenge up, and return the error of a wrong answer, if it is wrong."""
        if self._challenges is None or await self._challenges.redeem(self._challenge, self._answer):
            return ()
        self._challenge = ""
        return (_WRONG,)

    def view(self) -> CaptchaView | None:
        """Return what the page shows now."""
        if self._challenges is None:
            return None
        if self.another_image_asked or self._challenges.code_of(self._challenge) is None:
            return CaptchaView(challenge=self._challenges.new())
        return CaptchaView(challenge=self._challenge, answer=self._answer)
