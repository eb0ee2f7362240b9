from django.urls import path

from households.history import entry_views, views

urlpatterns = [
    path("", views.topic_list, name="history"),
    path("<slug:section>/", views.topic_detail, name="history_topic"),
    path("<slug:section>/add/", entry_views.entry_add, name="entry_add"),
    path("<slug:section>/<uuid:public_id>/", entry_views.entry_change, name="entry_change"),
    path("<slug:section>/<uuid:public_id>/end/", entry_views.entry_end, name="entry_end"),
    path("<slug:section>/<uuid:public_id>/past/", entry_views.entry_past, name="entry_past"),
]
