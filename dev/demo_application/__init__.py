"""An application that logs people in at the product, to show how one does it.

It stands for the manual's two applications, and knows the product only by OpenID Connect.
"""
