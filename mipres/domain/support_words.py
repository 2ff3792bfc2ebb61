"""How support reads stages and what is waited for, and how a person is shown to those who need not know more."""

from mipres.domain.outcomes import Stage

STAGE_LABELS = {
    Stage.CHECKING: "verificando",
    Stage.WAITING_REGISTRY: "esperando un registro",
    Stage.AWAITING_PASSWORD: "esperando la contraseña",
    Stage.COMPLETED: "completo",
    Stage.REFUSED: "no procedente",
    Stage.EXPIRED: "vencido",
    Stage.CANCELLED: "cancelado",
}
WAITING_LABELS = {
    "miseguridadsocial": "miseguridadsocial",
    "rethus": "ReTHUS",
    "sso": "SSO",
    "database": "base de datos",
    "mail": "servidor de correo",
    "mail_address": "dirección de correo rechazada",
}


def waiting_label(name: str) -> str:
    return WAITING_LABELS.get(name, name)


def mask_name(full_name: str) -> str:
    """`Ana María Ruiz` becomes `A••• M••• R•••`."""
    return " ".join(f"{word[:1]}•••" for word in full_name.split())


def mask_login(login: str) -> str:
    """`CC1020304050` becomes `CC•••050`; a short number shows less than three digits."""
    return f"{login[:2]}•••{login[max(4, len(login) - 3) :]}"
