from django.contrib import admin

from tests.owners.books.models import Book, Note

admin.site.register(Book)
admin.site.register(Note)
