"""Registrations that were checked, ready to be stored."""

from dataclasses import replace
from datetime import UTC, date, datetime

from mipres.domain.accounts import NewRegistration, ProfileFacts
from mipres.domain.documents import parse_document
from mipres.domain.people import Person, Placement
from mipres.domain.submissions import Entity, EntityKind, Submission, UserType
from mipres.domain.terms import Consent

ANA = Person(given_names="Ana María", surnames="Ruiz Gómez", email="ana.ruiz@ejemplo.test")
CONSENT = Consent(
    terms_version="2025-03",
    terms_sha256="0" * 64,
    accepted_at=datetime(2026, 11, 23, 15, tzinfo=UTC),
    channel="web",
)
DOCTOR = Submission(
    user_type=UserType.PROFESSIONAL,
    document=parse_document("CC", "1020304050"),
    professional_registration="76-1234",
)
DOCTOR_FACTS = ProfileFacts(
    profession_code="P07", profession_name="Medicina", professional_registration="76-1234"
)
DELEGATE = replace(
    DOCTOR,
    user_type=UserType.DELEGATE,
    professional_registration=None,
    entity=Entity(kind=EntityKind.IPS, nit="900123456"),
)
SOCIAL_SERVICE = replace(DOCTOR, user_type=UserType.SOCIAL_SERVICE, professional_registration=None)
PLACEMENT = Placement(
    profession="Medicina",
    site_code="1100100001",
    site_name="Hospital de Ejemplo",
    municipality="11001",
    start=date(2026, 6, 1),
    end=date(2027, 5, 31),
)


def registration(
    submission: Submission = DOCTOR,
    *,
    radicado: str = "RM-000000000001",
    person: Person = ANA,
    facts: ProfileFacts = DOCTOR_FACTS,
    consent: Consent = CONSENT,
) -> NewRegistration:
    return NewRegistration(
        radicado=radicado, submission=submission, person=person, facts=facts, consent=consent
    )
