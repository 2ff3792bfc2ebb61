"""Addresses of the provider."""

DISCOVERY, JWKS = "/.well-known/openid-configuration", "/oidc/jwks"
AUTHORIZE, LOGOUT = "/oidc/authorize", "/oidc/logout"
TOKEN, REVOKE, INTROSPECT, USERINFO = "/oidc/token", "/oidc/revoke", "/oidc/introspect", "/oidc/userinfo"
OF_CLIENTS = (TOKEN, REVOKE, INTROSPECT)
"""Where an application has to prove who it is."""
FOR_PROGRAMS = frozenset((DISCOVERY, JWKS, USERINFO, *OF_CLIENTS))
"""What programs of applications read: JSON, also where it is an error."""
