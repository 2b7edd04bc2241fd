"""Problem documents (RFC 9457) for Chalice applications.

An application lists its problem types in one module, raises `Problem` from its use cases, and
registers the middleware once::

    from problem_details import cors_middleware, problem_middleware

    app.register_middleware(cors_middleware(app.api.cors), "http")  # where the API serves browsers
    app.register_middleware(problem_middleware, "http")

Every error response is then `application/problem+json`: the application's own problems, the errors
Chalice answers by itself, and exceptions nobody expected (500, without their text).
"""

from .middleware import cors_middleware, problem_middleware
from .problem import CONTENT_TYPE, FieldError, Problem, ProblemType, type_of_status

__all__ = [
    "CONTENT_TYPE",
    "FieldError",
    "Problem",
    "ProblemType",
    "cors_middleware",
    "problem_middleware",
    "type_of_status",
]
