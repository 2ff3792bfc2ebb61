"""The captcha of a form: which challenge is shown, and whether it was solved."""

from dataclasses import dataclass

from starlette.datastructures import FormData

from api.forms import text_of
from mipres.captcha.challenges import CaptchaChallenges

CAPTCHA_MISSING = "Escriba el código de la imagen"
CAPTCHA_WRONG = "El código no corresponde a la imagen; escriba el de la imagen nueva"


@dataclass(frozen=True, kw_only=True)
class CaptchaView:
    """The challenge that a page shows, and what was typed for it while it is not judged."""

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

    def missing(self) -> dict[str, str]:
        """The error of an empty answer."""
        return {"captcha": CAPTCHA_MISSING} if self._challenges and not self._answer.strip() else {}

    async def wrong(self) -> dict[str, str]:
        """The error of a wrong answer. Uses the challenge up."""
        if self._challenges is None or await self._challenges.redeem(self._challenge, self._answer):
            return {}
        self._challenge = ""
        return {"captcha": CAPTCHA_WRONG}

    def view(self) -> CaptchaView | None:
        """What the page shows now."""
        if self._challenges is None:
            return None
        if self.another_image_asked or self._challenges.code_of(self._challenge) is None:
            return CaptchaView(challenge=self._challenges.new())
        return CaptchaView(challenge=self._challenge, answer=self._answer)
