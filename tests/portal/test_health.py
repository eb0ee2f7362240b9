"""Alive and ready are two questions: SECURITY R-RE-4."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from portal import health


@pytest.fixture(autouse=True)
def never_asked(monkeypatch):
    """As a process that has just started."""
    monkeypatch.setattr(health, "_migrated", False)


def refuse(execute, sql, params, many, context):
    raise DatabaseError("gone")


@pytest.mark.django_db
def test_ready(client):
    assert client.get("/readyz").content == b"ok\n"


@pytest.mark.django_db
def test_asking_again_costs_one_query(client, django_assert_num_queries):
    client.get("/readyz")
    with django_assert_num_queries(1):
        assert client.get("/readyz").status_code == 200


def test_alive_without_a_database(client):
    answer = client.get("/healthz")  # pytest-django refuses the database here
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
@pytest.mark.parametrize("asked_before", [False, True])
def test_lost_database_is_not_ready(client, asked_before):
    if asked_before:
        client.get("/readyz")
    with connection.execute_wrapper(refuse):
        answer = client.get("/readyz")
        assert client.get("/healthz").status_code == 200
    assert (answer.status_code, answer.content) == (503, b"not ready\n")


@pytest.mark.django_db
def test_missing_migration_is_not_ready_until_it_is_applied(client):
    ((app, newest),) = MigrationLoader(connection).graph.leaf_nodes("documents")
    MigrationRecorder(connection).record_unapplied(app, newest)
    assert client.get("/readyz").status_code == 503
    MigrationRecorder(connection).record_applied(app, newest)
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_storage_that_cannot_be_written_is_not_ready(client, settings, tmp_path):
    (tmp_path / "a-file").touch()
    settings.UPLOADING = tmp_path / "a-file"
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_only_asked_never_told(client, address):
    assert client.post(address).status_code == 405


@pytest.mark.django_db
def test_no_versions_are_shown(client):
    for address in ("/healthz", "/readyz"):
        answer = client.get(address)
        assert not any(char.isdigit() for char in answer.content.decode())
        assert "Server" not in answer.headers
        assert "X-Powered-By" not in answer.headers
