from django.urls import path

from households.documents import views

urlpatterns = [
    path("", views.document_list, name="documents"),
    path("join/", views.document_join, name="document_join"),
    path("requests/<uuid:public_id>/", views.request_answer, name="request_answer"),
    path("<uuid:public_id>/", views.document_detail, name="document_detail"),
    path("<uuid:public_id>/again/", views.document_again, name="document_again"),
    path("<uuid:public_id>/withdraw/", views.document_withdraw, name="document_withdraw"),
    path("<uuid:public_id>/file/", views.document_file, name="document_file"),
    path("<uuid:public_id>/thumbnail/", views.document_thumbnail, name="document_thumbnail"),
    path("<uuid:public_id>/pages/<int:number>/", views.document_page, name="document_page"),
]
