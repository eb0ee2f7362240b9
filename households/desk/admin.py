"""What of the desk stands in admin; each kind of page has a module of its own."""

from django.contrib import admin

from households.desk.models import RosterImport
from households.desk.roster_pages import RosterImportAdmin

admin.site.register(RosterImport, RosterImportAdmin)
