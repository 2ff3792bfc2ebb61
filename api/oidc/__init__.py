"""The OpenID Connect provider.

Authlib does the protocol; the product decides who may enter.
"""
