from django.urls import path

from households.overview import views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("activity/", views.chart_activity, name="chart_activity"),
]
