from django.urls import path

from households.demographics import views

urlpatterns = [
    path("", views.details_summary, name="demographics"),
    path("confirm/", views.details_confirm, name="details_confirm"),
    path("contacts/", views.contact_list, name="contacts"),
    path("contacts/new/", views.contact_add, name="contact_add"),
    path("contacts/<uuid:public_id>/", views.contact_change, name="contact_change"),
    path("contacts/<uuid:public_id>/keep/", views.contact_keep, name="contact_keep"),
    path("contacts/<uuid:public_id>/remove/", views.contact_remove, name="contact_remove"),
    path("<slug:field>/", views.detail_change, name="detail_change"),
    path("<slug:field>/keep/", views.detail_keep, name="detail_keep"),
]
