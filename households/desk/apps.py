from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "households.desk"
    label = "desk"
