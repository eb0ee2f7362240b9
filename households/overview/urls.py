from django.urls import path

from households.overview import views

urlpatterns = [
    path("", views.overview, name="overview"),
]
