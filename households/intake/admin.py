"""Admin pages of forms, by what they are about: each module registers its own."""

from households.intake import ask_admin as ask_admin
from households.intake import builder_admin as builder_admin
from households.intake import consent_admin as consent_admin
from households.intake import definition_admin as definition_admin
from households.intake import member_ask_admin as member_ask_admin
from households.intake import review as review
from households.intake import value_set_admin as value_set_admin
from households.intake import version_admin as version_admin
