"""What of the desk stands in admin; each kind of page has a module of its own."""

from django.contrib import admin

from households.desk.models import RosterImport
from households.desk.practice_admin import PracticeAdmin
from households.desk.roster_pages import RosterImportAdmin
from households.models import Practice

admin.site.register(RosterImport, RosterImportAdmin)
admin.site.register(Practice, PracticeAdmin)
