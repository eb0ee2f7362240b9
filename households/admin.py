"""What of the core stands in admin; each kind of page has a module of its own."""

from django.contrib import admin

from accounts.models import HouseholdAccount
from households.household_admin import HouseholdAccountAdmin
from households.member_admin import MemberAdmin
from households.models import Member

admin.site.register(HouseholdAccount, HouseholdAccountAdmin)
admin.site.register(Member, MemberAdmin)
