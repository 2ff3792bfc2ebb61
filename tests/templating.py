"""The product's templates, for pages that a test draws by itself."""

from api.security import Cookies, FormTokens
from api.templating import Pages
from mipres.composition import STATIC, TEMPLATES


def make_pages(*, cookies: Cookies | None = None) -> Pages:
    """Pages as the product has them, with cookies of plain HTTP."""
    cookies = cookies or Cookies(https=False)
    return Pages(TEMPLATES, STATIC, cookies=cookies, form_tokens=FormTokens(b"k" * 32, cookies=cookies))
