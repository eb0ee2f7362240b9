from django.urls import path

from households.record import views

urlpatterns = [
    path("", views.record_page, name="record"),
    path("pdf/", views.record_as_pdf, name="record_pdf"),
    path("fhir/", views.record_as_fhir, name="record_fhir"),
    path("forms/<uuid:public_id>/pdf/", views.form_as_pdf, name="form_pdf"),
]
