"""What a tenant's own address serves: http://acme.localhost:8000."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from example_project.pages import views
from example_project.pages.forms import LoginForm
from example_project.workspace import workspace

urlpatterns = [
    path("", views.Dashboard.as_view(), name="dashboard"),
    path("projects/<uuid:pk>/", views.ProjectBoard.as_view(), name="project"),
    path("customers/", views.CustomerList.as_view(), name="customers"),
    path("orders/", views.OrderList.as_view(), name="orders"),
    path("catalogue/", views.Catalogue.as_view(), name="catalogue"),
    path("login/", LoginView.as_view(template_name="pages/login.html", authentication_form=LoginForm), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("api/", include("example_project.api")),
    path("admin/", workspace.urls),
    path("healthz", views.healthz),
]
