from django.apps import AppConfig


class DemographicsConfig(AppConfig):
    name = "households.demographics"
    label = "demographics"
