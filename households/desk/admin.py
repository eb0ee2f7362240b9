"""What of the desk stands in admin; each kind of page has a module of its own."""

from django.contrib import admin

from households.desk.models import RosterImport, StaffMailSubscription
from households.desk.practice_admin import PracticeAdmin
from households.desk.roster_pages import RosterImportAdmin
from households.desk.staff_mail_pages import StaffMailAdmin
from households.models import Practice

admin.site.register(RosterImport, RosterImportAdmin)
admin.site.register(Practice, PracticeAdmin)
admin.site.register(StaffMailSubscription, StaffMailAdmin)
