"""From a request target to a Klein endpoint, without letting anything normalise a key on the way.

Klein (werkzeug) decodes and cleans paths before it matches them, so it never sees one: the routes that are declared on
the Klein app are read once into a table of templates, and a target is split into a template and the raw bytes that
follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen
from klein import Klein
from klein.resource import KleinResource
from twisted.web.iweb import IRequest

from minicloud.web.problems import Problem

if TYPE_CHECKING:
    from klein._app import KleinRenderable
    from twisted.internet.defer import Deferred

    from minicloud.web.answers import Answer
    from minicloud.web.request import Request

UNMATCHED = "unmatched"
"""Label of requests that no route wants."""


@frozen
class Route:
    """One path of the contract and what can be done there."""

    template: str
    """Such as ``/kv/{key}``: how the route is declared, and its label in the metrics."""
    endpoints: Mapping[bytes, str]
    """Klein endpoint by method."""
    allow: bytes
    """Value of ``Allow``."""

    def endpoint(self, method: bytes) -> str:
        """Return the Klein endpoint for a method; raises Problem (405)."""
        endpoint = self.endpoints.get(method)
        if endpoint is None:
            raise Problem(
                405,
                "method_not_allowed",
                "Method not allowed",
                f"{self.template} knows {self.allow.decode('ascii')}.",
                header_lines=b"Allow: %b\r\n" % self.allow,
            )
        return endpoint


class RouteTable:
    """All routes of a Klein app. A template that ends in ``/{name}`` takes the rest of the path, slashes and all."""

    def __init__(self, app: Klein) -> None:
        endpoints: dict[str, dict[bytes, str]] = {}
        for rule in app.url_map.iter_rules():
            methods = endpoints.setdefault(rule.rule, {})
            methods.update((method.encode("ascii"), rule.endpoint) for method in rule.methods or ())
        routes = [
            Route(template, methods, b", ".join(sorted(methods))) for template, methods in sorted(endpoints.items())
        ]
        self._exact = {route.template.encode("ascii"): route for route in routes if not route.template.endswith("}")}
        self._prefixes = tuple(
            (route.template.partition("{")[0].encode("ascii"), route)
            for route in routes
            if route.template.endswith("}")
        )

    def split(self, path: bytes) -> tuple[Route | None, bytes]:
        """Return the route of a path (None: there is none), and the raw rest of the path where the route takes one."""
        for prefix, route in self._prefixes:
            if path.startswith(prefix):
                return route, path[len(prefix) :]
        return self._exact.get(path), b""


def unknown_path() -> Problem:
    """Return a 404 for a path that no route has."""
    return Problem(404, "unknown_path", "Unknown path", "Nothing is served here.")


class RoutesResource(KleinResource):
    """The Klein app as the site's root: runs the endpoint that was found when the header came.

    Klein's own ``render`` would match the decoded path, answer some errors in HTML, and cancel the route's Deferred
    when the client hangs up, and with it what the node is about to commit.
    """

    def __init__(self, app: Klein) -> None:
        super().__init__(app)
        self.routes = RouteTable(app)
        self._execute: Callable[[str, Any], Any] = app.execute_endpoint

    def respond(self, request: Request) -> Answer | Deferred[Answer]:
        """Run the route of an admitted request."""
        result: Answer | Deferred[Answer] = self._execute(request.endpoint, request)
        return result

    def render(self, request: IRequest) -> KleinRenderable:
        """Refuse the way in that twisted.web would take; our Request does not come this way."""
        raise AssertionError("the site's own Request calls respond()")
