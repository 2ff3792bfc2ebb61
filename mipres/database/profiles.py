"""One row of `profiles`.

What a registration stores in it, and the submission that it came from.
"""

from mipres.database.tables import AccountRow, ProfileRow
from mipres.domain.accounts import NewRegistration
from mipres.domain.divipola import department_of
from mipres.domain.documents import Document, DocumentType
from mipres.domain.identifiers import folded_registration
from mipres.domain.people import Placement
from mipres.domain.submissions import Entity, EntityKind, Regime, Submission, UserType

PROFILE_KEY = ("user_type", "entity_key", "registration_key")
"""What tells one profile of a person from another."""
PROFILE_VALUES = (
    "radicado",
    "entity_kind",
    "entity_regime",
    "entity_nit",
    "entity_name",
    "municipality",
    "profession_code",
    "profession_name",
    "professional_registration",
    "site_code",
    "site_name",
    "site_municipality",
    "starts_on",
    "ends_on",
    "review_on",
)
"""The columns of `profile_values`."""


def profile_key(submission: Submission) -> dict[str, str]:
    """The columns of PROFILE_KEY."""
    return {
        "user_type": submission.user_type,
        "entity_key": submission.entity_key,
        "registration_key": folded_registration(submission.professional_registration or ""),
    }


def profile_values(registration: NewRegistration) -> dict[str, object]:
    """The columns that a registration sets, whether the profile is new or known."""
    entity, facts = registration.submission.entity, registration.facts
    return {
        "radicado": registration.radicado,
        "entity_kind": entity and entity.kind,
        "entity_regime": entity and entity.regime,
        "entity_nit": entity and entity.nit,
        "entity_name": facts.entity_name,
        "municipality": entity and entity.municipality,
        "profession_code": facts.profession_code,
        "profession_name": facts.profession_name,
        "professional_registration": facts.professional_registration,
        "review_on": facts.review_on,
        **placement_values(facts.placement),
    }


def placement_values(placement: Placement | None) -> dict[str, object]:
    """The columns that a placement sets."""
    return {
        "site_code": placement and placement.site_code,
        "site_name": placement and placement.site_name,
        "site_municipality": placement and placement.municipality,
        "starts_on": placement and placement.start,
        "ends_on": placement and placement.end,
    }


def submission_of(account: AccountRow, profile: ProfileRow) -> Submission:
    """What the person submitted for this profile."""
    entity = None
    if profile.entity_kind is not None:
        entity = Entity(
            kind=EntityKind(profile.entity_kind),
            regime=Regime(profile.entity_regime) if profile.entity_regime else None,
            nit=profile.entity_nit,
            department=profile.municipality and department_of(profile.municipality),
            municipality=profile.municipality,
        )
    return Submission(
        user_type=UserType(profile.user_type),
        document=Document(type=DocumentType(account.document_type), number=account.document_number),
        entity=entity,
        professional_registration=profile.professional_registration,
    )
