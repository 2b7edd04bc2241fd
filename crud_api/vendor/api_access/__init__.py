"""Who may call a Chalice API, and from which pages: the same settings for every app.

An app reads them once, puts the authorizer on its routes and asks who called::

    from api_access import access_of, caller

    access = access_of(os.environ)
    app.route("/things", authorizer=access.authorizer())

Anything that would open an API by mistake is an `AccessError` when the app is imported, so at the
latest when it is deployed.
"""

from .access import Access, AccessError, access_of
from .callers import caller

__all__ = ["Access", "AccessError", "access_of", "caller"]
