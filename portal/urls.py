"""Every address of the portal, and the only place where slices are mounted.

Whatever lives under /for/<key>/ is behind the gate (households/binding.py).
"""

from django.contrib import admin
from django.urls import include, path

from accounts import urls as account_urls
from households import urls as household_urls
from households.binding import gated
from households.demographics import urls as demographics_urls
from households.documents import urls as document_urls
from households.history import urls as history_urls
from households.intake import urls as intake_urls
from households.overview import urls as overview_urls
from households.record import urls as record_urls
from households.submissions import urls as submission_urls
from portal import health, reporting

handler400 = "portal.errors.bad_request"
handler403 = "portal.errors.forbidden"
handler404 = "portal.errors.not_found"
handler500 = "portal.errors.server_error"

urlpatterns = [
    path("healthz", health.health_live, name="health_live"),
    path("readyz", health.health_ready, name="health_ready"),
    path(".well-known/security.txt", reporting.security_txt, name="security_txt"),
    path("security-policy.txt", reporting.security_policy, name="security_policy"),
    path("admin/", admin.site.urls),
    path("", include(account_urls)),
    path("", include(household_urls)),
    path("for/<str:key>/", include(gated(overview_urls.urlpatterns))),
    path("for/<str:key>/", include(gated(submission_urls.urlpatterns))),
    path("for/<str:key>/demographics/", include(gated(demographics_urls.urlpatterns))),
    path("for/<str:key>/history/", include(gated(history_urls.urlpatterns))),
    path("for/<str:key>/documents/", include(gated(document_urls.urlpatterns))),
    path("for/<str:key>/forms/", include(gated(intake_urls.urlpatterns))),
    path("for/<str:key>/record/", include(gated(record_urls.urlpatterns))),
]
