"""How often something may be done before it has to wait, each with its reason.

One place, so that it can be read.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most `most` times in a window that begins with the first time.

    Attributes:
        name: Stable: it is stored beside what has been counted.
    """

    name: str
    most: int
    window: timedelta


RELAXED_TIMES = 10
"""How much more is allowed where one person tries everything, in development."""

# A person fills in one form; a hospital's people share one address, and no twenty of them send in one breath.
SUBMISSIONS = Limit(name="submissions", most=20, window=timedelta(seconds=20))
# A captcha buys one answer of the registries. These stop a person who solves captchas by the dozen: beyond them the
# answer goes by mail only, so that one who asks too much keeps no other from registering.
CLIENT_ANSWERS = Limit(name="client-answers", most=10, window=timedelta(hours=1))
NETWORK_ANSWERS = Limit(name="network-answers", most=50, window=timedelta(hours=1))
DOCUMENT_ANSWERS = Limit(name="document-answers", most=5, window=timedelta(days=1))
# Each of them may mail the same person.
DOCUMENT_SUBMISSIONS = Limit(name="document-submissions", most=20, window=timedelta(days=1))

# Drawing and speaking cost processor time. A page takes one picture, sometimes another and its recording.
CAPTCHAS = Limit(name="captchas", most=60, window=timedelta(minutes=1))
# Beside the registration's own budget of one in three minutes and five a day.
RESENDS = Limit(name="resends", most=10, window=timedelta(minutes=10))
# As SUBMISSIONS: a form whose captcha is missing or wrong asks for nothing yet.
RECOVERY_FORMS = Limit(name="recovery-forms", most=20, window=timedelta(seconds=20))
RECOVERIES = Limit(name="recoveries", most=30, window=timedelta(hours=1))
DOCUMENT_RECOVERIES = Limit(name="document-recoveries", most=5, window=timedelta(hours=1))
# A genuine link is never wrong; a badly copied one is wrong a few times.
WRONG_LINKS = Limit(name="wrong-links", most=20, window=timedelta(minutes=1))
# Looks at a used link that tell its registrations once more.
ANNOUNCEMENTS = Limit(name="announcements", most=10, window=timedelta(minutes=1))
# Hashing takes a processor for some 30 ms, so this also bounds what one client can take of it.
PASSWORDS = Limit(name="passwords", most=20, window=timedelta(minutes=1))

# A person with many open sessions ends them one by one.
SESSION_ENDS = Limit(name="session-ends", most=30, window=timedelta(minutes=1))

# What a person allows applications, and takes back.
CONSENTS = Limit(name="consents", most=30, window=timedelta(minutes=1))

# login.gov's values: what one address may try in all, and at one account.
LOGINS = Limit(name="logins", most=20, window=timedelta(seconds=60))
ACCOUNT_LOGINS = Limit(name="account-logins", most=5, window=timedelta(seconds=60))
ACCOUNT_LOGINS_A_DAY = Limit(name="account-logins-a-day", most=50, window=timedelta(hours=12))

# The registries take five calls a second from all of us together: more would only queue up.
API_CALLS = Limit(name="api-calls", most=600, window=timedelta(minutes=1))
# An application calls for all its people from one address: two calls a login, some fifty logins a second.
OIDC_CALLS = Limit(name="oidc-calls", most=6000, window=timedelta(minutes=1))
WRONG_KEYS = Limit(name="wrong-keys", most=20, window=timedelta(minutes=1))

# Support has few people, and a password of fifteen characters is not mistyped for ever.
STAFF_LOGINS = Limit(name="staff-logins", most=10, window=timedelta(minutes=5))
