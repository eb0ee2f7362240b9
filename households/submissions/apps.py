from django.apps import AppConfig


class SubmissionsConfig(AppConfig):
    name = "households.submissions"
    label = "submissions"
