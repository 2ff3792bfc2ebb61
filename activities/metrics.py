"""What a worker counts while it works, through the SDK's meter.

Its `/metrics` shows it beside the SDK's own.

Labels name registries, templates and kinds of failure. Never anything of a person.
"""

from temporalio import activity


def registry_failed(registry: str) -> None:
    _count(
        "mipres_registry_failures",
        "Calls to a registry that ended without a usable answer",
        registry=registry,
    )


def database_failed() -> None:
    _count("mipres_database_failures", "Activities that the database did not answer")


def mail_sent(template: str) -> None:
    _count("mipres_mails_sent", "Messages that the mail server took", template=template)


def mail_failed(kind: str) -> None:
    """Count a mail that failed.

    `kind` is `not_accepted` (it is tried again), `probably_delivered` (hours later) or `address_rejected` (for good).
    """
    _count("mipres_mail_failures", "Messages that the mail server did not take", kind=kind)


def _count(name: str, description: str, **labels: str) -> None:
    if activity.in_activity():
        activity.metric_meter().create_counter(name, description).add(1, labels)
