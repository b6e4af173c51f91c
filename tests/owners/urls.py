from django.contrib import admin
from django.contrib.auth import views
from django.contrib.sites.shortcuts import get_current_site
from django.http import HttpResponse
from django.urls import path


def who(request):
    return HttpResponse(f"{request.user.get_username() or 'nobody'} at {get_current_site(request).name}")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("who/", who),
    path("reset/<uidb64>/<token>/", views.PasswordResetConfirmView.as_view(), name="password_reset_confirm"),
]
