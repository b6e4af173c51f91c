"""A project of wagtail, django-helpdesk and django-oscar as they are. Every table of theirs and of Django's is in the
schema of a tenant: users, content types, sites and sessions too. Which database: `tests/databases.py`."""

import os

os.environ["TENANTKIT_TEST_ISOLATION"] = "schema"

from oscar.defaults import *  # noqa: F403

from django_tenantkit.signatures import TenantSecretKey
from tests.settings import *  # noqa: F403
from tests.settings import MIDDLEWARE, TEMPLATES
from tests.settings import SECRET_KEY as PLAIN_KEY

SECRET_KEY = TenantSecretKey(PLAIN_KEY)

DJANGO = ["admin", "auth", "contenttypes", "sessions", "sites", "messages", "staticfiles", "flatpages", "humanize"]

WAGTAIL = [
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "tests.thirdparty.cms",
]

HELPDESK = ["helpdesk.apps.HelpdeskConfig"]

OSCAR = [
    "oscar.config.Shop",
    *(
        f"oscar.apps.{path}.apps.{name}Config"
        for path, name in (
            ("analytics", "Analytics"),
            ("checkout", "Checkout"),
            ("address", "Address"),
            ("shipping", "Shipping"),
            ("catalogue", "Catalogue"),
            ("catalogue.reviews", "CatalogueReviews"),
            ("communication", "Communication"),
            ("partner", "Partner"),
            ("basket", "Basket"),
            ("payment", "Payment"),
            ("offer", "Offer"),
            ("order", "Order"),
            ("customer", "Customer"),
            ("search", "Search"),
            ("voucher", "Voucher"),
            ("wishlists", "Wishlists"),
            ("dashboard", "Dashboard"),
            ("dashboard.reports", "ReportsDashboard"),
            ("dashboard.users", "UsersDashboard"),
            ("dashboard.orders", "OrdersDashboard"),
            ("dashboard.catalogue", "CatalogueDashboard"),
            ("dashboard.offers", "OffersDashboard"),
            ("dashboard.partners", "PartnersDashboard"),
            ("dashboard.pages", "PagesDashboard"),
            ("dashboard.ranges", "RangesDashboard"),
            ("dashboard.reviews", "ReviewsDashboard"),
            ("dashboard.vouchers", "VouchersDashboard"),
            ("dashboard.communications", "CommunicationsDashboard"),
            ("dashboard.shipping", "ShippingDashboard"),
        )
    ),
    "widget_tweaks",
    "haystack",
    "treebeard",
    "sorl.thumbnail",
    "django_tables2",
]

INSTALLED_APPS = [
    *(f"django.contrib.{name}" for name in DJANGO),
    *WAGTAIL,
    *HELPDESK,
    *OSCAR,
    "rest_framework",
    "guardian",
    "django_tenantkit",
]

#: The labels of all that have tables, but ours.
TENANTKIT_TENANT_APPS = [
    *(name for name in DJANGO if name not in ("messages", "staticfiles", "humanize")),
    *(f"wagtail{name}" for name in ("forms", "redirects", "embeds", "users", "docs", "images", "search")),
    *("wagtailadmin", "wagtailcore", "taggit", "cms", "helpdesk", "guardian", "thumbnail"),
    *("analytics", "address", "shipping", "catalogue", "reviews", "communication", "partner", "basket", "payment"),
    *("offer", "order", "customer", "voucher", "wishlists"),
]
TENANTKIT_ISOLATIONS = ["schema"]
TENANTKIT_ROW_SCHEMA = "nobody"
TENANTKIT_ACCESS_POLICY = "django_tenantkit.access.own_users"
TENANTKIT_TENANT_CACHES = ["guardian.shortcuts._get_ct_cached"]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "KEY_FUNCTION": "django_tenantkit.caches.tenant_key",
    }
}

MIDDLEWARE = [
    *MIDDLEWARE,
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
]
TEMPLATES[0]["OPTIONS"]["context_processors"] += [
    "oscar.apps.search.context_processors.search_form",
    "oscar.apps.checkout.context_processors.checkout",
    "oscar.apps.communication.notifications.context_processors.notifications",
    "oscar.core.context_processors.metadata",
]
AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ROOT_URLCONF = "tests.thirdparty.urls"
SITE_ID = 1
MEDIA_ROOT = os.environ.get("TENANTKIT_TEST_MEDIA", "/nowhere")
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
WAGTAIL_SITE_NAME = "Pages"
WAGTAILADMIN_BASE_URL = "http://example.com"
HELPDESK_TEAMS_MODEL = "auth.Group"
HELPDESK_TEAMS_MIGRATION_DEPENDENCIES = [("auth", "0001_initial")]
HELPDESK_KBITEM_TEAM_GETTER = lambda item: None  # noqa: E731 - as the manual of helpdesk has it
HELPDESK_DEFAULT_SETTINGS = {"use_email_as_submitter": True}
LOGIN_URL = "/admin/login/"
OSCAR_INITIAL_ORDER_STATUS = "Pending"
OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Shipped",), "Shipped": ()}
