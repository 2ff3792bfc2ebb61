"""The API, to which a second without an answer is a quarter of an hour."""

from datetime import timedelta

from api import temporal_gauges
from api.main import app

__all__ = ["app"]
temporal_gauges.UNSEEN_AFTER = timedelta(seconds=1)
temporal_gauges._PRECISION = timedelta(milliseconds=500)
