"""Small questionnaires for the tests of the import."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile


def item(link_id: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"linkId": link_id, "type": kind, "text": f"Words of {link_id}", **more}


def form(*items: Any, **more: Any) -> dict[str, Any]:
    about = {
        "resourceType": "Questionnaire",
        "url": "https://forms.example/test",
        "title": "Test form",
        "status": "active",
    }
    return {**about, **more, "item": list(items)}


def coding(code: str, display: str = "") -> dict[str, Any]:
    return {"valueCoding": {"system": "urn:test", "code": code, "display": display or code}}


def value_set(url: str = "https://forms.example/colours", *codes: str) -> dict[str, Any]:
    concepts = [{"code": code, "display": code.title()} for code in codes or ("red", "blue")]
    return {
        "resourceType": "ValueSet",
        "url": url,
        "title": "Colours",
        "status": "active",
        "compose": {"include": [{"system": "urn:test", "concept": concepts}]},
    }


def upload(resource: Any, name: str = "form.json") -> SimpleUploadedFile:
    data = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    return SimpleUploadedFile(name, data, content_type="application/json")
