"""How a document's bytes leave the portal, to families and to staff alike."""

from __future__ import annotations

from django.http import FileResponse

from households.documents.models import Document


def document_response(document: Document, *, as_attachment: bool) -> FileResponse:
    """Stream a document so that no browser makes more of it than a file of its type (SECURITY R-UP-4).
    The caller has asked whether this visitor may have it."""
    response = FileResponse(
        document.file.open("rb"),
        as_attachment=as_attachment,
        filename=document.name,
        content_type=document.content_type,
    )
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
