from django.apps import AppConfig


class HouseholdsConfig(AppConfig):
    name = "households"

    def ready(self) -> None:
        from accounts import practice_file
        from households.practice_file import HouseholdsPracticeFile

        practice_file.answer_with(HouseholdsPracticeFile())
