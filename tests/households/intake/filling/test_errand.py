"""The whole errand of a family: found, begun, filled page by page, checked, sent, read again, corrected."""

from __future__ import annotations

from households.intake.models import QuestionnaireResponse
from households.submissions.models import Submission
from tests.households.intake.filling.conftest import published
from tests.pages import text_of, title_of


def test_the_whole_errand(mia, cast):
    version = published()
    page = mia.begin(version)
    assert title_of(page).startswith("Mia – Allergies and habits")
    assert "Mimi: Allergies and habits" in text_of(page)
    assert "To what?" not in text_of(page)

    page = mia.press(page, allergic="true")
    assert page.status_code == 200
    assert "To what?" in text_of(page)
    assert "brings up more to answer" in text_of(page)
    page = mia.press(page, substance="Peanuts", born="2019/4/3", note="Two\nlines")
    assert title_of(page).startswith("Mia – Medicine")

    page = mia.press(page, "add", "1-0", name="Iron", often="2")
    assert "number 2" in text_of(page)
    page = mia.press(page, name_1="Zinc")
    assert title_of(page).startswith("Mia – Mood")
    page = mia.press(page, helps=[], helps_o="Music")
    assert title_of(page).startswith("Mia – Check Mimi's answers before you send them")
    for words in ("Peanuts", "2019/04/03", "Two", "Iron", "Zinc", "Music", "Not given"):
        assert words in text_of(page), words
    assert "Send Mimi's answers" in text_of(page)

    done = mia.send(page)
    assert "Mimi's answers are sent" in text_of(done)
    assert "Peanuts" in text_of(done)
    response = QuestionnaireResponse.objects.for_member(cast.mia).get()
    assert response.submission.kind == "form"
    assert not response.submission.is_urgent
    assert len(response.sha256) == 64
    assert "Begun" not in text_of(mia.get())
    assert 'data-form data-status="received"' in " ".join(mia.get().content.decode().split())
    assert Submission.objects.for_member(cast.mia).count() == 1
