"""Mounted under /for/<key>/forms/, behind the gate. No address says what a form is about."""

from django.urls import path

from households.intake import check_views, file_views, fill_views, views

urlpatterns = [
    path("", views.form_list, name="forms"),
    path("start/<uuid:questionnaire_id>/", views.form_start, name="form_start"),
    path("<uuid:public_id>/", views.form_detail, name="form_detail"),
    path("<uuid:public_id>/correct/", views.form_correct, name="form_correct"),
    path("<uuid:public_id>/discard/", views.form_discard, name="form_discard"),
    path("<uuid:public_id>/page/<slug:page>/", fill_views.form_page, name="form_page"),
    path("<uuid:public_id>/file/<str:path>/", file_views.form_file, name="form_file"),
    path("<uuid:public_id>/check/", check_views.form_check, name="form_check"),
]
