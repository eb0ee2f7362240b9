from django.urls import path

from households.submissions import views

urlpatterns = [
    path("filled-in-by/", views.filled_in_by, name="filled_in_by"),
]
