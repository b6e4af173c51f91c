"""Pages of two kinds, so that a content type can be the wrong one; and a snippet."""

from django.db import models
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField
from wagtail.models import Page
from wagtail.snippets.models import register_snippet


class ArticlePage(Page):
    body = RichTextField(blank=True)
    content_panels = [*Page.content_panels, FieldPanel("body")]
    template = "cms/page.html"


class EventPage(Page):
    place = models.CharField(max_length=100, blank=True)
    content_panels = [*Page.content_panels, FieldPanel("place")]
    template = "cms/page.html"


@register_snippet
class Notice(models.Model):
    text = models.CharField(max_length=100)
    panels = [FieldPanel("text")]

    def __str__(self):
        return self.text
