
import pytest


@pytest.mark.django_db(transaction=True)
def test_it():
    from django_tenantkit.models import Place
    print(list(Place.objects.values()))
