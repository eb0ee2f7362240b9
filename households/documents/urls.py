from django.urls import path

from households.documents import views

urlpatterns = [
    path("", views.document_list, name="documents"),
    path("<uuid:public_id>/", views.document_detail, name="document_detail"),
    path("<uuid:public_id>/file/", views.document_file, name="document_file"),
]
