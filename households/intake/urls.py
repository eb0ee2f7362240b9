"""Mounted under /for/<key>/forms/, behind the gate."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
