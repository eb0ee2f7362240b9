from django.apps import AppConfig


class RecordConfig(AppConfig):
    name = "households.record"
    label = "record"
