from django.urls import path

from accounts import views

urlpatterns = [
    path("login/", views.login, name="login"),
    path("logout/", views.logout, name="logout"),
    path("password/", views.password_request, name="password_request"),
    path("password/sent/", views.password_sent, name="password_sent"),
    path("password/choose/", views.password_choose, name="password_choose"),
    path("password/change/", views.password_change, name="password_change"),
    path("password/<str:token>/", views.password_open, name="password_open"),
    path("account/", views.account, name="account"),
    path("account/end-others/", views.account_end_others, name="account_end_others"),
    path(
        "account/sessions/<str:key>/end/",
        views.account_end_session,
        name="account_end_session",
    ),
    path("session/stay/", views.session_stay, name="session_stay"),
]
