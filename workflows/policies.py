"""Every timeout and retry policy, each with its reason."""

from dataclasses import replace
from datetime import time, timedelta

from temporalio.common import RetryPolicy

from activities.errors import UNFORESEEN

# The citizen is looking at the page: one try, and a slow registry counts as an absent one.
FAST_ATTEMPT = timedelta(seconds=3)
FAST_RETRY = RetryPolicy(maximum_attempts=1)
# Three steps at most, and a moment to say which one failed.
FAST_PATH = 3 * FAST_ATTEMPT + timedelta(seconds=1)

# A registry call is cut off by its own client after 10 s; the rest is room for a busy worker.
REGISTRY_ATTEMPT = timedelta(seconds=15)
# Registries are repaired within days, not within minutes; after a week somebody has to look.
GIVE_UP_AFTER = timedelta(days=7)
# 2 s catches a hiccup while the person still looks; 5 min is gentle to a registry that is down for days.
PATIENT_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=2), backoff_coefficient=2, maximum_interval=timedelta(minutes=5)
)

# A transaction takes milliseconds; a restart of PostgreSQL takes seconds.
DATABASE_ATTEMPT = timedelta(seconds=15)
# RFC 5321 allows a server ten minutes to answer the message itself; the mail client gives up after that.
MAIL_ATTEMPT = timedelta(minutes=12)
# A worker that dies is noticed much sooner: it shows every ten seconds that it lives.
MAIL_HEARTBEAT = timedelta(seconds=30)

# What has expired is refused at once; its rows may stay for another hour.
PURGE_EVERY = timedelta(hours=1)
# An undo was retried for a week by then: the next week begins after an hour, for support to look at it.
UNDO_AGAIN = timedelta(hours=1)
# Deleting by index takes moments; the first purge of a large database may take longer.
PURGE_ATTEMPT = timedelta(minutes=5)
PURGE_TOTAL = timedelta(hours=1)

# A warning about a new browser or a join must be read soon. The list is written in the transaction of the change,
# so nothing is lost while Temporal is away; a round that finds nothing is one query.
NOTICES_EVERY = timedelta(minutes=1)
# Two hundred mails at a slow server; the next round goes on where this one ended.
NOTICES_ATTEMPT = timedelta(minutes=30)
NOTICES_TOTAL = timedelta(hours=12)

# Suspended access must end in applications too, and soon; a round that finds nothing is two queries.
LOGOUTS_EVERY = timedelta(minutes=1)
# Each application has half a minute of a round, all at the same time.
LOGOUTS_ATTEMPT = timedelta(minutes=2)
# A round that waits for one application is the round of the others too, so it comes again soon.
LOGOUTS_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=2), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
)
LOGOUTS_TOTAL = timedelta(hours=12)

# A review asks less than half as often as the registries allow, all workers and registries together: 400,000
# profiles take 56 of a week's 168 hours, and a person who registers finds the rest of the calls free.
REVIEW_CALLS_PER_SECOND = 2.0
# Behind every registration, which have Temporal's default of 3.
REVIEW_PRIORITY = 5
REVIEW_BATCH = 10
# What the code cannot judge today it cannot judge in five minutes, and the review would stand still for one person.
REVIEW_RETRY = replace(PATIENT_RETRY, non_retryable_error_types=[UNFORESEEN])
# Some 1,300 events a run, far below the server's limit, and few enough findings to hold back for the guard.
REVIEW_PORTION = 200
# One person's odd data give one or two answers that cannot be used; so many in a row are the registry's.
REVIEW_UNCLEAR_ENOUGH = 20
# A night without workers is made up for the next day.
REVIEW_CATCH_UP = timedelta(hours=23)
# A search over all profiles, or some hundred short transactions.
REVIEW_STEP_ATTEMPT = timedelta(minutes=15)

# Asking Temporal to try a step at once is one call to its server.
RETRY_ATTEMPT = timedelta(seconds=10)
# The person who asked still waits for the answer; later the step has come round by itself.
RETRY_WORTH_MAKING = timedelta(minutes=1)

# The API waits five seconds for an outcome; a page that waited nearly as long may have said "en proceso".
PAGE_PATIENCE = timedelta(seconds=4)

# Waiting longer than this is worth a look by support.
STUCK_AFTER = timedelta(minutes=10)
# The reminder goes out when a quarter of the time is left.
REMINDER_AT = 0.75

# News of a delay that are a day old help nobody.
NOTICE_WORTH_SENDING = timedelta(days=1)

# Who waits to appear in a registry is asked for once a day; an hour is the least between two looks.
LOOK_EVERY = timedelta(days=1)
LOOK_PAUSE = timedelta(hours=1)
# A look that the registry did not answer for a day is made by the next one.
LOOK_WORTH_MAKING = timedelta(days=1)
# A placement holds from midnight; five minutes later the registries' clocks agree.
FIRST_DAY_BEGINS = time(0, 5)

# Mails take a moment to arrive; a person who asks sooner has not waited for the last one.
RESEND_PAUSE = timedelta(minutes=3)
LINKS_A_DAY = 5
# An outage of minutes changes no address; after an hour its person may have corrected it.
ANSWER_HOLDS = timedelta(hours=1)
# Nobody corrects an address in a registry, and comes back, in less.
ADDRESS_LOOK_PAUSE = timedelta(seconds=30)
# A link for recovering a password is asked for by somebody who sits at the screen.
RECOVERY_LINK_LIFETIME = timedelta(minutes=30)

# A recovery that came a moment too early would have to ask again; nobody notices a minute more in a day.
CHANGE_MARGIN = timedelta(minutes=1)

# A worker whose cache is full of workflows with a task at hand can stand still for good (temporalio/sdk-rust#886).
# Ten times as many places as tasks always leave some to give up.
CACHED_WORKFLOWS = 1000
WORKFLOW_TASKS = 100
# Registries are other people's machines: this many calls a second, for all workers together.
REGISTRY_CALLS_PER_SECOND = 5.0
# A little less, because a call may reach its registry late and the next one on time.
BEGUN_PER_SECOND = REGISTRY_CALLS_PER_SECOND * 0.95
# Less again, so that a busy moment of a worker leaves no line of calls behind.
HANDED_OUT_PER_SECOND = REGISTRY_CALLS_PER_SECOND * 0.9
# A registry call is cut off after ten seconds; what stops the process gives it twenty.
SHUTDOWN_PATIENCE = timedelta(seconds=12)
