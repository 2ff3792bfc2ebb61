"""Every page of the application, and the states in which the browser tests see it."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from starlette.routing import compile_path

ANYWHERE = "/{anything:path}"
# A new route stands here or among those that answer no page: test_states.py holds it.
STATES: dict[str, tuple[str, ...]] = {
    "/": ("home",),
    "/registro/{tipo}": (
        *("form-*", "errors-*", "delegate-*", "nit-*"),
        *("captcha-wrong", "captcha-proof", "captcha-instead-of-proof", "form-expired-back"),
    ),
    "/registro/resultado/{answer_id}": (
        *("registered", "updated", "in-progress", "received", "refused-*", "recovery-asked", "answer-gone"),
        *("password-set", "wrong-door", "placement-ended", "access-closed", "form-expired"),
    ),
    "/registro/estado": ("status-search", "status-search-*"),
    "/registro/estado/{radicado}": ("status-*",),
    "/contrasena": ("no-link", "link-*", "password-*"),
    "/contrasena/recuperar": ("recovery", "recovery-errors"),
    "/ingreso/{application}": ("login-*",),
    "/ingreso/{application}/segundo-factor": ("second-step", "second-step-errors"),
    "/ingreso/{application}/continuar": ("oidc-continue",),
    "/inicio/{application}": ("landing-*",),
    "/cuenta": ("account",),
    "/cuenta/contrasena": ("account-password-errors",),
    "/cuenta/segundo-factor": (
        *("factor", "factor-errors", "factor-proof", "factor-set-up", "factor-demanded"),
        *("recovery-codes", "recovery-codes-on-the-way"),
    ),
    "/no-fui-yo": ("factor-reset", "factor-reset-stopped", "change", "change-stopped", "change-unknown"),
    "/ayuda": ("help",),
    "/privacidad": ("privacy",),
    "/accesibilidad": ("accessibility",),
    "/api/docs": ("api-docs",),
    "/oidc/authorize": ("oidc-door", "oidc-consent", "oidc-error"),
    "/oidc/logout": ("oidc-logout",),
    "/soporte/ingreso": ("support-login", "support-login-errors"),
    "/soporte/ingreso/segundo-factor": ("support-second-step",),
    "/soporte": ("support", "support-errors"),
    "/soporte/hallado/{answer_id}": ("support-results",),
    "/soporte/lista/{name}": ("support-list",),
    "/soporte/registro/{reference}": ("support-case", "support-case-errors", "support-case-done"),
    "/soporte/registro/{reference}/cancelar": ("support-cancel", "support-cancel-errors"),
    "/soporte/clave": ("support-key",),
    "/soporte/contrasena": ("support-password", "support-password-errors"),
    "/soporte/segundo-factor": ("support-factor", "support-factor-set-up", "support-recovery-codes"),
    "/soporte/cuenta/{account_id}": ("support-account", "support-factor-reset-asked"),
    "/soporte/cuenta/{account_id}/{action}": ("support-account-confirm", "support-factor-reset"),
    "/soporte/cuenta/{account_id}/unir": ("support-join-login", "support-join-login-errors"),
    "/soporte/cuenta/{account_id}/unir/{other_id}": ("support-join",),
    "/soporte/equipo/{staff_id}/desbloquear": ("support-team-unlock",),
    "/soporte/revision": ("support-review",),
    "/soporte/revision/{action}": ("support-review-confirm", "support-review-errors"),
    # What stands at no route of its own: the errors of all.
    ANYWHERE: ("error-*", "not-found", "support-not-found", "forbidden"),
}


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a state is to be seen."""

    path: str

    def matches(self, address: str) -> bool:
        pattern = compile_path(self.path)[0]
        return bool(re.fullmatch(pattern, urlsplit(address).path))


def route_of(state: str) -> Route:
    """The route whose page is in a state; the closest name counts.

    Raises:
        LookupError: the state is in no line of the table.
    """
    fitting = [
        (len(name), path) for path, names in STATES.items() for name in names if fnmatchcase(state, name)
    ]
    if not fitting:
        raise LookupError(f"{state}: write this state beside its route, in {__name__}")
    return Route(path=max(fitting)[1])
