"""How a person is shown to those who need not know more."""


def mask_name(full_name: str) -> str:
    """`Ana María Ruiz` becomes `A••• M••• R•••`."""
    return " ".join(f"{word[:1]}•••" for word in full_name.split())


def mask_login(login: str) -> str:
    """`CC1020304050` becomes `CC•••050`; a short number shows less than three digits."""
    return f"{login[:2]}•••{login[max(4, len(login) - 3) :]}"
