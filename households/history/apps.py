from django.apps import AppConfig


class HistoryConfig(AppConfig):
    name = "households.history"
    label = "history"
