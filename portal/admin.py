from django.contrib import admin
from django.contrib.admin.apps import AdminConfig


class PortalAdminSite(admin.AdminSite):
    pass


class PortalAdminConfig(AdminConfig):
    default_site = "portal.admin.PortalAdminSite"
