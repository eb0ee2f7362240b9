from django.urls import path

from households import views

urlpatterns = [
    path("", views.home, name="home"),
    path("who/", views.who, name="who"),
    path("switch/", views.switch, name="switch"),
    path("help/family/", views.help_family, name="help_family"),
    path("logo/<slug:key>/", views.practice_logo, name="practice_logo"),
]
