"""Stands in for miseguridadsocial, ReTHUS and SSO, with outages on demand."""
