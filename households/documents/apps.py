from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "households.documents"
    label = "documents"
