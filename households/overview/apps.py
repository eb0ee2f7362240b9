from django.apps import AppConfig


class OverviewConfig(AppConfig):
    name = "households.overview"
    label = "overview"
