"""What assistive technology is given: the browser's accessibility tree, as it has computed it."""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from tests.dashboard.browser import Page

LIVE = ("polite", "assertive")
"""Values of ``aria-live`` with which a change is announced."""


@frozen
class AxNode:
    """One node of the tree."""

    role: str
    name: str
    properties: dict[str, Any]
    element: int | None
    """The browser's number for the element in the document."""
    parent: str | None
    is_ignored: bool
    """Whether it is hidden from assistive technology, or says nothing there."""


@frozen
class AxTree:
    """The whole tree, as it is at one moment."""

    page: Page
    nodes: dict[str, AxNode]

    @classmethod
    async def of(cls, page: Page) -> AxTree:
        """Ask the browser for it."""
        told = await page.command("Accessibility.getFullAXTree")
        return cls(page, {one["nodeId"]: _node(one) for one in told["nodes"]})

    async def find(self, element: str) -> AxNode | None:
        """Return the node of an element by its id; None where assistive technology does not get to know of it."""
        expression = f"document.getElementById({json.dumps(element)})"
        found = await self.page.command("Runtime.evaluate", expression=expression)
        described = await self.page.command("DOM.describeNode", objectId=found["result"]["objectId"])
        number = described["node"]["backendNodeId"]
        return next((one for one in self.nodes.values() if one.element == number and not one.is_ignored), None)

    async def is_live(self, element: str) -> bool:
        """Whether changes of an element are announced: it is in the tree, and it or something around it is live."""
        node = await self.find(element)
        while node is not None:
            if node.properties.get("live") in LIVE:
                return True
            node = self.nodes.get(node.parent or "")
        return False

    def focusable(self) -> list[AxNode]:
        """Return all that can have the focus."""
        return [node for node in self.nodes.values() if node.properties.get("focusable") and not node.is_ignored]

    def with_role(self, role: str) -> list[AxNode]:
        """Return all of a role."""
        return [node for node in self.nodes.values() if node.role == role and not node.is_ignored]

    async def html_of(self, node: AxNode) -> str:
        """Return the start tag of a node's element, for people."""
        found = await self.page.command("DOM.resolveNode", backendNodeId=node.element)
        told = await self.page.command(
            "Runtime.callFunctionOn",
            objectId=found["object"]["objectId"],
            functionDeclaration="function() { return this.cloneNode(false).outerHTML ?? this.nodeName; }",
            returnByValue=True,
        )
        return told["result"]["value"]


def _node(told: dict[str, Any]) -> AxNode:
    properties = {one["name"]: one["value"].get("value") for one in told.get("properties", [])}
    role, name = (told.get(part, {}).get("value", "") for part in ("role", "name"))
    return AxNode(role, name, properties, told.get("backendDOMNodeId"), told.get("parentId"), told["ignored"])
