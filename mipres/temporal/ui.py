"""Addresses of Temporal's web interface.

The page of a workflow, and the list of a query.
"""

from urllib.parse import quote


def list_url(query: str, *, ui_url: str, namespace: str) -> str:
    """Where Temporal's interface shows the workflows of a query."""
    return f"{ui_url}/namespaces/{quote(namespace, safe='')}/workflows?query={quote(query, safe='')}"


def workflow_url(workflow_id: str, *, ui_url: str, namespace: str) -> str:
    """Where Temporal's interface shows the newest run of a workflow."""
    return f"{ui_url}/namespaces/{quote(namespace, safe='')}/workflows/{quote(workflow_id, safe='')}"
